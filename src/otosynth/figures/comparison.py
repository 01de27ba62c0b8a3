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
    View,
    add_scale_bar,
    class_colours,
    show_classes,
    show_intensity,
    show_rgb,
    shown_point,
    telling_view,
)
from otosynth.figures.style import GREY, SMALL_PT, WIDTH_IN, bare, class_patches, new_figure
from otosynth.normalisation import Normalisation
from otosynth.pairs import Pair

COLUMNS_AT_MOST = 5
TALLEST_ROW_IN = 1.5
# The part shown: the cochlea and what lies round it.
SIDE_MM = 10.0
CORRECT_COLOUR = "#2B2B2B"


@dataclass(frozen=True)
class Result:
    """A method's prediction, cut to the view (rows, columns).

    ``microct`` is None for a method that gives classes only; ``dice`` is that of the whole ear,
    in the order of the classes.
    """

    title: str
    microct: np.ndarray | None
    classmap: np.ndarray
    dice: Sequence[float]


def view_of(pair: Pair, spacing_mm: tuple[float, float, float]) -> View:
    """Return the part of an ear that Figure 8 shows: the plane that tells most of the cochlea."""
    point = shown_point(pair.classmap, pair.mask, pair.cochlea, spacing_mm)
    return telling_view(pair.classmap, point, spacing_mm, SIDE_MM)


def draw_comparison(
    pair: Pair,
    view: View,
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
    view
        The part of them that is shown.
    results
        One a method, in the order of the columns.
    windows
        The intensities that are black and white.
    specimen, label
        The ear's name, and what the data are.
    """
    count = len(results) + 2
    blocks = -(-count // COLUMNS_AT_MOST)
    columns = -(-count // blocks)
    figure = new_figure(
        "Visual comparison of the methods",
        label,
        f"specimen {specimen}, {view.plane.title} through the cochlea",
        blocks * (3 * min(TALLEST_ROW_IN, WIDTH_IN / columns - 0.06) + 0.55),
    )
    panels = figure.subplots(3 * blocks, columns, squeeze=False)
    cut = view.cut
    ear = _Ear(
        cut(pair.ct), cut(pair.microct), cut(pair.mask), cut(pair.classmap), view.plane, windows
    )
    for axes in panels.flat:
        bare(axes)
        axes.set_box_aspect(ear.box_aspect)
    places = [
        panels[3 * (k // columns) : 3 * (k // columns) + 3, k % columns] for k in range(count)
    ]
    ear.draw_ct(places[0])
    ear.draw_truth(places[1])
    for place, result in zip(places[2:], results, strict=True):
        ear.draw_result(place, result)
    return figure


@dataclass(frozen=True)
class _Ear:
    """The slices (rows, columns) that every panel is drawn from."""

    ct: np.ndarray
    microct: np.ndarray
    inside: np.ndarray
    classmap: np.ndarray
    plane: Plane
    windows: Normalisation

    @property
    def box_aspect(self) -> float:
        height, width = (n * mm for n, mm in zip(self.ct.shape, self.plane.spacing_mm, strict=True))
        return height / width

    def draw_ct(self, column: np.ndarray) -> None:
        show_intensity(column[0], self.ct, self.plane, self.windows.ct)
        add_scale_bar(column[0])
        column[0].set_title("CT")
        correct = Patch(facecolor=CORRECT_COLOUR, label="correct")
        _add_key(column[1], class_patches(), "classes")
        _add_key(column[2], [correct, *class_patches()], "errors, in the\npredicted class")

    def draw_truth(self, column: np.ndarray) -> None:
        self._draw_microct(column[0], self.microct)
        show_classes(column[1], self.classmap, self.inside, self.plane)
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
        show_classes(column[1], result.classmap, self.inside, self.plane)
        self._draw_errors(column[2], result.classmap)
        column[0].set_title(result.title)
        column[2].set_xlabel(" / ".join(f"{d:.2f}" for d in result.dice), fontsize=SMALL_PT)

    def _draw_microct(self, axes: Axes, image: np.ndarray) -> None:
        show_intensity(axes, image, self.plane, self.windows.microct)

    def _draw_errors(self, axes: Axes, classes: np.ndarray) -> None:
        image = class_colours(classes, self.inside)
        image[(classes == self.classmap) & (self.inside > 0)] = to_rgb(CORRECT_COLOUR)
        show_rgb(axes, image, self.plane)


def _add_key(axes: Axes, entries: list[Patch], title: str) -> None:
    """Write what colours mean into an empty panel."""
    axes.legend(
        handles=entries, title=title, title_fontsize=SMALL_PT, alignment="left",
        loc="center left", bbox_to_anchor=(-0.1, 0.5),
    )  # fmt: skip
