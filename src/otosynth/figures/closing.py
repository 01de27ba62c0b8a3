"""Figure 2: the steps of the custom closing, where it changes most."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Patch, Rectangle
from scipy.ndimage import uniform_filter

from otosynth.classmap import ClosingSteps
from otosynth.figures.slices import (
    Plane,
    add_scale_bar,
    show_classes,
    show_intensity,
    show_rgb,
)
from otosynth.figures.style import CLASS_TITLES, GREY, INK, bare, class_patches, new_figure
from otosynth.normalisation import Window

ADDED_COLOUR = "#D55E00"
# The enlarged part is this share of the slice's shorter side.
ZOOM = 1 / 3
ROW_IN = 1.5


@dataclass(frozen=True)
class ClosingExample:
    """One ear's closing: volumes z, y, x, the steps, voxel size (mm) and ball radius (um)."""

    microct: np.ndarray
    before: np.ndarray
    mask: np.ndarray
    steps: ClosingSteps
    spacing_mm: tuple[float, float, float]
    radius_um: float


def draw_closing(example: ClosingExample, window: Window, specimen: str, label: str) -> Figure:
    """Draw the thresholded classes, the closed ones and their recombination (thesis, Fig. 2).

    The slice is the one across z with the most changed voxels inside the mask.

    Parameters
    ----------
    example
        The ear and its steps.
    window
        Micro-CT intensities that are black and white.
    specimen, label
        The ear's name, and what the data are.
    """
    changed = (example.steps.result != example.before) & (example.mask > 0)
    plane = Plane.across(0, int(np.argmax(changed.sum(axis=(1, 2)))), example.spacing_mm)
    part = _part_that_changes_most(plane.of(changed))
    share = changed.sum() / np.count_nonzero(example.mask)
    figure = new_figure(
        "Closing of the class map",
        label,
        f"specimen {specimen} · ball of {example.radius_um:g} µm · {share:.2%} of voxels change",
        3 * ROW_IN + 0.35,
    )
    # Room for the arrows.
    # new_figure always sets a constrained layout, which the stubs do not know.
    figure.get_layout_engine().set(wspace=0.12)  # type: ignore[union-attr,call-arg]
    panels = figure.subplots(3, 4)
    for axes in panels.flat:
        bare(axes)
    inside = plane.of(example.mask)
    _draw_whole(panels[0, 0], plane.of(example.microct), plane, part, window)
    panels[0, 0].set_title("micro-CT")
    for axes, classes, title in (
        (panels[1, 0], example.before, "1. thresholds"),
        (panels[1, 3], example.steps.result, "4. recombined"),
    ):
        show_classes(axes, plane.of(classes)[part], inside[part], plane)
        axes.set_title(title)
    for k, name in enumerate(CLASS_TITLES):
        binary, closed = (
            plane.of(step[k])[part] for step in (example.steps.binary, example.steps.closed)
        )
        _draw_binary(panels[k, 1], binary, binary, plane)
        _draw_binary(panels[k, 2], binary, closed, plane)
        panels[k, 1].set_title(name)
        panels[k, 2].set_title(name)
        _connect(panels[1, 0], panels[k, 1])
        _connect(panels[k, 1], panels[k, 2])
        _connect(panels[k, 2], panels[1, 3])
    panels[0, 1].set_title(f"2. one image a class\n{CLASS_TITLES[0]}")
    panels[0, 2].set_title(f"3. each closed\n{CLASS_TITLES[0]}")
    add_scale_bar(panels[0, 0])
    add_scale_bar(panels[1, 0])
    added = Patch(facecolor=ADDED_COLOUR, label="added by the closing")
    panels[2, 0].legend(handles=class_patches(), loc="center left")
    panels[2, 3].legend(handles=[added], loc="center")
    return figure


def _part_that_changes_most(changed: np.ndarray) -> tuple[slice, slice]:
    """Return the square part of a slice (rows, columns) with the most changed voxels."""
    side = max(8, round(ZOOM * min(changed.shape)))
    density = uniform_filter(changed.astype(np.float32), size=side, mode="constant")
    centre = np.unravel_index(np.argmax(density), density.shape)
    first = [
        min(max(int(c) - side // 2, 0), n - side)
        for c, n in zip(centre, changed.shape, strict=True)
    ]
    return slice(first[0], first[0] + side), slice(first[1], first[1] + side)


def _draw_whole(
    axes: Axes,
    image: np.ndarray,
    plane: Plane,
    part: tuple[slice, slice],
    window: Window,
) -> None:
    show_intensity(axes, image, plane, window)
    height, width = plane.spacing_mm
    axes.add_patch(
        Rectangle(
            (part[1].start * width, part[0].start * height),
            (part[1].stop - part[1].start) * width,
            (part[0].stop - part[0].start) * height,
            fill=False,
            edgecolor=ADDED_COLOUR,
            linewidth=1.2,
        )
    )


def _draw_binary(axes: Axes, before: np.ndarray, after: np.ndarray, plane: Plane) -> None:
    image = np.ones((*after.shape, 3))
    image[after] = to_rgb(ADDED_COLOUR)
    image[before] = to_rgb(INK)
    show_rgb(axes, image, plane)
    axes.spines[:].set(visible=True, color=GREY)


def _connect(left: Axes, right: Axes) -> None:
    """Draw an arrow from one image to the next."""
    arrow = ConnectionPatch(
        (1.01, 0.5),
        (-0.01, 0.5),
        coordsA=left.transAxes,
        coordsB=right.transAxes,
        arrowstyle="-|>",
        color=GREY,
        linewidth=0.8,
        mutation_scale=6,
    )
    arrow.set_in_layout(False)
    left.figure.add_artist(arrow)
