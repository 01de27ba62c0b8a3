"""One page on a predicted CT: what went in, what came out, and what the checks say."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.figures.registration import CT_COLOUR, contour_level_hu
from otosynth.figures.slices import (
    Plane,
    add_contours,
    add_directions,
    add_scale_bar,
    middle_planes,
    show_classes,
    show_intensity,
)
from otosynth.figures.style import SMALL_PT, bare, class_patches, new_figure
from otosynth.normalisation import Window
from otosynth.prediction.checks import Check

ROW_IN = 1.5
LINE_IN = 0.13
# Percentiles of the synthetic micro-CT that are black and white.
GREY_PERCENTILES = (0.5, 99.5)
# Sign and colour of each verdict: told apart without colour, too.
VERDICTS = {
    "ok": ("ok", "#009E73"),
    "warning": ("WARNING", "#D55E00"),
    "refused": ("REFUSED", "#B00020"),
}
UNCERTAIN = Window(0, 1)
TITLES = {
    "ct": "CT, outline:\ntraining ear",
    "microct": "synthetic\nmicro-CT",
    "classmap": "class map",
    "uncertainty": "uncertainty\n(black: sure)",
}
# Characters of a line beside a check's name.
LINE_CHARACTERS = 98


def draw_quality_sheet(
    volumes: Mapping[str, np.ndarray],
    spacing_mm: tuple[float, float, float],
    direction: Sequence[float],
    ct_window_hu: tuple[float, float],
    checks: Sequence[Check],
    scan: str,
    model: str,
    label: str,
) -> Figure:
    """Draw three planes of each volume through the middle of what was predicted, and the checks.

    Parameters
    ----------
    volumes
        ``ct`` (HU), ``training_ct`` (HU; of the training ear by which the CT was placed),
        ``classmap``, ``mask`` and, where there are any, ``microct`` and ``uncertainty``; z, y, x on
        one grid.
    spacing_mm
        Voxel size z, y, x in mm.
    direction
        Of the grid, as ITK has it: tells the patient's sides.
    ct_window_hu
        CT values that are black and white.
    checks
        All that was looked at.
    scan, model, label
        Names of the scan and of the model, and what the model's training data are.

    Returns
    -------
    Figure
        A page of text width.
    """
    inside = volumes["mask"] > 0
    planes = middle_planes(inside, spacing_mm)
    outline_hu = contour_level_hu(volumes["training_ct"])
    rows = [name for name in TITLES if name in volumes]
    blocks = [_block(check) for check in checks]
    lines_in = LINE_IN * (sum(len(block) for block in blocks) + 1)
    figure = new_figure(
        "Predicted, not measured: synthetic micro-CT and class map of one CT",
        f"{scan}; model trained on: {label}",
        f"model {model} · research only, not for diagnosis",
        len(rows) * ROW_IN + lines_in + 0.4,
    )
    grid = figure.add_gridspec(len(rows) + 1, 3, height_ratios=[*[ROW_IN] * len(rows), lines_in])
    for row, name in enumerate(rows):
        for column, plane in enumerate(planes):
            axes = figure.add_subplot(grid[row, column])
            _show(axes, name, volumes, plane, inside, ct_window_hu)
            if row == 0:
                axes.set_title(plane.title)
                add_contours(axes, plane.of(volumes["training_ct"]), plane, outline_hu, CT_COLOUR)
                add_directions(axes, plane, direction)
                add_scale_bar(axes)
            if column == 0:
                axes.set_ylabel(TITLES[name])
    _write_checks(figure.add_subplot(grid[-1, :]), blocks, lines_in)
    figure.legend(handles=class_patches(), loc="outside lower center", ncols=3)
    return figure


def _show(
    axes: Axes,
    name: str,
    volumes: Mapping[str, np.ndarray],
    plane: Plane,
    inside: np.ndarray,
    ct_window_hu: tuple[float, float],
) -> None:
    image = plane.of(volumes[name])
    if name == "classmap":
        show_classes(axes, image, plane.of(inside), plane)
    elif name == "microct":
        low, high = np.percentile(volumes[name][inside], GREY_PERCENTILES)
        show_intensity(axes, image, plane, Window(low, max(high, low + 1e-6)))
    else:
        window = UNCERTAIN if name == "uncertainty" else Window(*ct_window_hu)
        show_intensity(axes, image, plane, window)


def _block(check: Check) -> list[tuple[str, str, str]]:
    """Return a check as lines: verdict, name, text; only the first names the check."""
    text = f"{check.found} (expected: {check.expected})"
    if check.advice:
        text += f": {check.advice}"
    first, *others = textwrap.wrap(text, LINE_CHARACTERS) or [""]
    return [(check.verdict, check.name, first), *(("", "", line) for line in others)]


def _write_checks(
    axes: Axes, blocks: Sequence[Sequence[tuple[str, str, str]]], height_in: float
) -> None:
    bare(axes)
    y = 1.0
    for verdict, name, text in (line for block in blocks for line in block):
        y -= LINE_IN / height_in
        if verdict:
            sign, colour = VERDICTS[verdict]
            axes.text(0.0, y, sign, color=colour, fontsize=SMALL_PT, fontweight="bold")
            axes.text(0.11, y, name, fontsize=SMALL_PT)
        axes.text(0.24, y, text, fontsize=SMALL_PT)
