"""Figure 8: what every method makes of one tested ear."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from otosynth.figures.slices import (
    Plane,
    add_scale_bar,
    class_colours,
    crop_around,
    show_classes,
    show_intensity,
    show_rgb,
    telling_axis,
    telling_point,
)
from otosynth.figures.style import GREY, OUTSIDE_COLOUR, SMALL_PT, bare, class_patches, new_figure
from otosynth.normalisation import Normalisation
from otosynth.pairs import Pair

COLUMNS_AT_MOST = 5
ROW_IN = 1.2
# The part shown: the cochlea and what lies round it.
SIDE_MM = 10.0
RIGHT_COLOUR = "#2B2B2B"


@dataclass(frozen=True)
class Result:
    """A method's prediction of the ear on the micro-CT grid (z, y, x).

    ``microct`` is None for a method that gives classes only; ``dice`` is that of the whole ear,
    in the order of the classes.
    """

    title: str
    microct: np.ndarray | None
    classmap: np.ndarray
    dice: Sequence[float]


def draw_comparison(
    pair: Pair,
    spacing_mm: tuple[float, float, float],
    results: Sequence[Result],
    windows: Normalisation,
    specimen: str,
    label: str,
) -> Figure:
    """Draw micro-CTs, class maps and their errors in one plane (thesis, Fig. 8).

    Parameters
    ----------
    pair
        The ear's volumes z, y, x.
    spacing_mm
        Voxel size z, y, x in mm.
    results
        One a method, in the order of the columns.
    windows
        The intensities that are black and white.
    specimen, label
        The ear's name, and what the data are.
    """
    point = telling_point(pair.classmap, pair.mask, spacing_mm)
    part, centre = crop_around(point, pair.ct.shape, spacing_mm, SIDE_MM)
    axis = telling_axis(pair.classmap[part], centre)
    plane = Plane.across(axis, centre[axis], spacing_mm)
    view = _View(pair, part, plane, windows)
    count = len(results) + 2
    columns = min(count, COLUMNS_AT_MOST)
    blocks = -(-count // columns)
    figure = new_figure(
        "Visual comparison of the methods",
        label,
        f"specimen {specimen}, {plane.title} through the cochlea",
        blocks * (3 * ROW_IN + 0.45),
    )
    panels = figure.subplots(3 * blocks, columns, squeeze=False)
    for axes in panels.flat:
        bare(axes)
        axes.set_box_aspect(view.box_aspect)
    places = [
        panels[3 * (k // columns) : 3 * (k // columns) + 3, k % columns] for k in range(count)
    ]
    view.draw_ct(places[0])
    view.draw_truth(places[1])
    for place, result in zip(places[2:], results, strict=True):
        view.draw_result(place, result)
    return figure


@dataclass(frozen=True)
class _View:
    """The plane of the ear that every panel shows."""

    pair: Pair
    part: tuple[slice, slice, slice]
    plane: Plane
    windows: Normalisation

    def cut(self, volume: np.ndarray) -> np.ndarray:
        return self.plane.of(volume[self.part])

    @property
    def box_aspect(self) -> float:
        height, width = self.inside.shape
        return height * self.plane.spacing_mm[0] / (width * self.plane.spacing_mm[1])

    @property
    def inside(self) -> np.ndarray:
        return self.cut(self.pair.mask)

    def draw_ct(self, column: np.ndarray) -> None:
        show_intensity(column[0], self.cut(self.pair.ct), self.plane, self.windows.ct)
        add_scale_bar(column[0])
        column[0].set_title("CT")
        column[1].legend(
            handles=class_patches(), loc="center left", bbox_to_anchor=(-0.1, 0.5), title="classes",
            title_fontsize=SMALL_PT, alignment="left",
        )  # fmt: skip
        marks = [
            Patch(facecolor=RIGHT_COLOUR, label="correct"),
            *class_patches(),
        ]
        column[2].legend(
            handles=marks, loc="center left", bbox_to_anchor=(-0.1, 0.5),
            title="errors, in the\npredicted class", title_fontsize=SMALL_PT, alignment="left",
        )  # fmt: skip

    def draw_truth(self, column: np.ndarray) -> None:
        self._draw_microct(column[0], self.pair.microct)
        show_classes(column[1], self.cut(self.pair.classmap), self.inside, self.plane)
        column[0].set_title("micro-CT\n(truth)")
        column[2].set_xlabel("Dice of the ear:\nair / soft / bone", fontsize=SMALL_PT)

    def draw_result(self, column: np.ndarray, result: Result) -> None:
        if result.microct is None:
            column[0].text(
                0.5, 0.5, "gives\nclasses only", ha="center", va="center", color=GREY,
                transform=column[0].transAxes, fontsize=SMALL_PT,
            )  # fmt: skip
        else:
            self._draw_microct(column[0], result.microct)
        classes = self.cut(result.classmap)
        show_classes(column[1], classes, self.inside, self.plane)
        self._draw_errors(column[2], classes)
        column[0].set_title(result.title)
        column[2].set_xlabel(" / ".join(f"{d:.2f}" for d in result.dice), fontsize=SMALL_PT)

    def _draw_microct(self, axes: Axes, volume: np.ndarray) -> None:
        show_intensity(axes, self.cut(volume), self.plane, self.windows.microct)

    def _draw_errors(self, axes: Axes, classes: np.ndarray) -> None:
        inside = self.inside
        right = (classes == self.cut(self.pair.classmap)) & (inside > 0)
        image = class_colours(classes, inside)
        image[right] = to_rgb(RIGHT_COLOUR)
        image[inside == 0] = to_rgb(OUTSIDE_COLOUR)
        show_rgb(axes, image, self.plane)
