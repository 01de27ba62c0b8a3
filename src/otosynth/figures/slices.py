"""Slices of volumes as images: true proportions, class colours, a scale bar in mm.

Volumes are arrays z, y, x in whatever orientation the scan has; planes are named by the axes
that they show, never by an anatomical direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import FuncNorm, to_rgb
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from scipy.ndimage import maximum_filter, uniform_filter

from otosynth.figures.style import CLASS_COLOURS, OUTSIDE_COLOUR, SMALL_PT, bare
from otosynth.normalisation import Window
from otosynth.tissues import AIR

AXES = "zyx"
SCALE_BARS_MM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
# Where the patient's axes (LPS) point to, and where they come from.
ENDS_OF_AXES = (("L", "R"), ("P", "A"), ("S", "I"))
# Share of the image's width that a scale bar does not exceed.
LONGEST_BAR = 0.3
# The lining of air cells is thinner than this, and the cochlea about as wide as this.
NEAR_AIR_MM = 0.4
COCHLEA_MM = 4.0

# How text on a slice is written, so that it is read on black and on white.
ON_IMAGE: dict[str, Any] = {
    "fontsize": SMALL_PT,
    "color": "white",
    "path_effects": [withStroke(linewidth=1.2, foreground="black")],
}


@dataclass(frozen=True)
class Plane:
    """A slice of a volume: the array axis that it is across, its index and its pixels in mm.

    ``spacing_mm`` is the pixel's height and width.
    """

    axis: int
    index: int
    spacing_mm: tuple[float, float]

    @classmethod
    def across(cls, axis: int, index: int, spacing_mm: tuple[float, float, float]) -> "Plane":
        """Return the plane across an axis of a volume with voxels of z, y, x mm."""
        height, width = (spacing for k, spacing in enumerate(spacing_mm) if k != axis)
        return cls(axis, index, (height, width))

    def of(self, volume: np.ndarray) -> np.ndarray:
        """Return the slice of a volume; where z runs along the image's height, it runs upwards."""
        image = np.take(volume, self.index, axis=self.axis)
        return image if self.axis == 0 else image[::-1]

    @property
    def title(self) -> str:
        """What the plane shows, e.g. ``x-y plane``."""
        down, right = (letter for k, letter in enumerate(AXES) if k != self.axis)
        return f"{right}–{down} plane"


def middle_planes(inside: np.ndarray, spacing_mm: tuple[float, float, float]) -> list[Plane]:
    """Return the planes across z, y and x through the middle of a mask (z, y, x)."""
    places = [np.flatnonzero(inside.any(axis=_others(axis))) for axis in range(3)]
    return [Plane.across(axis, int(np.mean(at)), spacing_mm) for axis, at in enumerate(places)]


def _others(axis: int) -> tuple[int, ...]:
    return tuple(k for k in range(3) if k != axis)


def shown_point(
    classmap: np.ndarray,
    mask: np.ndarray,
    cochlea: np.ndarray,
    spacing_mm: tuple[float, float, float],
) -> tuple[int, int, int]:
    """Return the voxel that figures of an ear go through: the middle of the region at the cochlea.

    Where that region is empty, not known, it is the telling point. Spongy bone has as many walls
    as a cochlea, so the telling point may lie in it.

    Parameters
    ----------
    classmap, mask, cochlea
        Volumes z, y, x; ``cochlea`` is not 0 in the region.
    spacing_mm
        Voxel size z, y, x in mm.
    """
    # Axis by axis, since a list of all of the region's voxels may be larger than the volume.
    along = [cochlea.any(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    if not along[0].any():
        return telling_point(classmap, mask, spacing_mm)
    z, y, x = (int(np.flatnonzero(part)[[0, -1]].mean()) for part in along)
    return z, y, x


def telling_point(
    classmap: np.ndarray, mask: np.ndarray, spacing_mm: tuple[float, float, float]
) -> tuple[int, int, int]:
    """Return the voxel round which walls between soft tissue and bone are densest.

    In an ear that is the cochlea: turns, lamina and modiolus lie close together. Walls near air
    do not count, since the lining of air cells is as dense and shows little.

    Parameters
    ----------
    classmap, mask
        Volumes z, y, x; nothing outside the mask counts.
    spacing_mm
        Voxel size z, y, x in mm.

    Returns
    -------
    tuple of int
        Index z, y, x.
    """
    reach = [2 * round(NEAR_AIR_MM / mm) + 1 for mm in spacing_mm]
    near_air = maximum_filter((classmap == AIR) & (mask > 0), size=reach)
    counted = (mask > 0) & ~near_air
    walls = np.zeros(classmap.shape, np.float32)
    for axis in range(3):
        low, high = (
            tuple(part if k == axis else slice(None) for k in range(3))
            for part in (slice(None, -1), slice(1, None))
        )
        # No air is counted, so two different classes are soft tissue and bone.
        is_wall = classmap[low] != classmap[high]
        walls[low] += is_wall & counted[low] & counted[high]
    size = [round(COCHLEA_MM / mm) for mm in spacing_mm]
    density = uniform_filter(walls, size=size, mode="constant")
    z, y, x = np.unravel_index(np.argmax(density), density.shape)
    return int(z), int(y), int(x)


@dataclass(frozen=True)
class View:
    """A plane of a part of a volume."""

    part: tuple[slice, slice, slice]
    plane: Plane

    def cut(self, volume: np.ndarray) -> np.ndarray:
        """Return what the view shows of a volume (rows, columns)."""
        return self.plane.of(volume[self.part])


def telling_view(
    classmap: np.ndarray,
    point: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    side_mm: float,
) -> View:
    """Return the plane through a point that shows most, in a cube round that point."""
    part, centre = crop_around(point, classmap.shape, spacing_mm, side_mm)
    axis = telling_axis(classmap[part], centre)
    return View(part, Plane.across(axis, centre[axis], spacing_mm))


def telling_axis(classmap: np.ndarray, point: tuple[int, int, int]) -> int:
    """Return the axis across which the plane through a point has the most class borders."""
    borders = []
    for axis, index in enumerate(point):
        image = np.take(classmap, index, axis=axis)
        changes = (np.diff(image.astype(int), axis=k) for k in (0, 1))
        borders.append(sum(int(np.count_nonzero(change)) for change in changes))
    return int(np.argmax(borders))


def crop_around(
    point: tuple[int, int, int],
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    side_mm: float,
) -> tuple[tuple[slice, slice, slice], tuple[int, int, int]]:
    """Return a cube of a volume round a voxel, and the voxel's index in the cube.

    Where the volume ends the cube is shifted inside, or smaller where the volume is.
    """
    slices, centre = [], []
    for index, length, mm in zip(point, shape, spacing_mm, strict=True):
        size = min(length, round(side_mm / mm))
        first = min(max(index - size // 2, 0), length - size)
        slices.append(slice(first, first + size))
        centre.append(index - first)
    return (slices[0], slices[1], slices[2]), (centre[0], centre[1], centre[2])


def show_intensity(axes: Axes, image: np.ndarray, plane: Plane, window: Window) -> AxesImage:
    """Show a slice in grey, black at the window's low end and white at its high end.

    A logarithmic window is shown as the networks see it: logarithmically.
    """
    norm = FuncNorm((window.normalise, window.restore), vmin=window.low, vmax=window.high)
    shown = axes.imshow(image, cmap="gray", norm=norm, extent=_extent_mm(image, plane))
    bare(axes)
    return shown


def show_rgb(axes: Axes, image: np.ndarray, plane: Plane) -> None:
    """Show a slice of colours (rows, columns, 3)."""
    axes.imshow(image, extent=_extent_mm(image, plane))
    bare(axes)


def show_classes(axes: Axes, classes: np.ndarray, inside: np.ndarray, plane: Plane) -> None:
    """Show a slice of classes in their colours, with a thin frame; white outside the mask."""
    show_rgb(axes, class_colours(classes, inside), plane)


def class_colours(classes: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the colours (rows, columns, 3) of a slice of classes."""
    palette = np.array([to_rgb(colour) for colour in CLASS_COLOURS])
    return np.where((inside > 0)[..., None], palette[classes], to_rgb(OUTSIDE_COLOUR))


def _extent_mm(image: np.ndarray, plane: Plane) -> tuple[float, float, float, float]:
    height, width = (n * mm for n, mm in zip(image.shape[:2], plane.spacing_mm, strict=True))
    return 0.0, width, height, 0.0


def add_contours(axes: Axes, image: np.ndarray, plane: Plane, level: float, colour: str) -> None:
    """Draw the line on a shown slice where another image passes a level."""
    rows, columns = (
        (np.arange(n) + 0.5) * mm for n, mm in zip(image.shape, plane.spacing_mm, strict=True)
    )
    if image.min() < level < image.max():
        axes.contour(columns, rows, image, levels=[level], colors=[colour], linewidths=0.8)


def add_directions(axes: Axes, plane: Plane, direction: Sequence[float]) -> None:
    """Write at the edges of a shown slice which way the patient's sides are: L, R, A, P, S, I.

    Parameters
    ----------
    direction
        Of the scan, as ITK has it; of an oblique one, the nearest of the patient's axes.
    """
    down, right = _others(plane.axis)
    # Where z runs along the image's height, it runs upwards.
    downwards = 1 if plane.axis == 0 else -1
    for (x, y), axis, sign in (
        ((0.97, 0.5), right, 1),
        ((0.03, 0.5), right, -1),
        ((0.5, 0.05), down, downwards),
        ((0.5, 0.95), down, -downwards),
    ):
        axes.text(
            x, y, _patient_direction(direction, axis, sign), transform=axes.transAxes,
            ha="center", va="center", **ON_IMAGE,
        )  # fmt: skip


def _patient_direction(direction: Sequence[float], axis: int, sign: int) -> str:
    """Return the letter of the patient's direction that an array's axis runs to."""
    along = sign * np.reshape(direction, (3, 3))[:, 2 - axis]
    nearest = int(np.abs(along).argmax())
    return ENDS_OF_AXES[nearest][0 if along[nearest] > 0 else 1]


def add_scale_bar(axes: Axes) -> None:
    """Draw a bar of a round length in the lower left corner of a shown slice."""
    width, height = axes.get_xlim()[1], axes.get_ylim()[0]
    length = max((mm for mm in SCALE_BARS_MM if mm <= LONGEST_BAR * width), default=width / 4)
    left, thickness = 0.05 * width, 0.02 * height
    top = 0.95 * height - thickness
    axes.add_patch(
        Rectangle((left, top), length, thickness, facecolor="white", edgecolor="black", lw=0.5)
    )
    axes.text(
        left,
        top - 0.015 * height,
        f"{length:g} mm",
        ha="left",
        va="bottom",
        **ON_IMAGE,
    )
