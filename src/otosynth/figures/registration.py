"""Quality of one registration: how the CT lies on the micro-CT, and the metric's trace."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from skimage.filters import threshold_otsu

from otosynth.figures.slices import (
    add_contours,
    add_scale_bar,
    middle_planes,
    show_intensity,
    show_rgb,
)
from otosynth.figures.style import METHOD_COLOURS, PALE, new_figure
from otosynth.normalisation import Window

ROW_IN = 1.95
TRACE_IN = 1.6
TILES = 6
CT_COLOUR, MASK_COLOUR = "#E69F00", "#56B4E9"
# Percentiles of the micro-CT that are black and white.
GREY_PERCENTILES = (0.5, 99.5)


def draw_registration(
    ct: np.ndarray,
    microct: np.ndarray,
    mask: np.ndarray,
    trace: pd.DataFrame,
    spacing_mm: tuple[float, float, float],
    ct_window_hu: tuple[float, float],
    specimen: str,
    label: str,
) -> Figure:
    """Draw three planes through the middle of the mask, and the metric of every iteration.

    Parameters
    ----------
    ct, microct, mask
        Volumes z, y, x on the micro-CT grid; CT in HU.
    trace
        Columns stage, level, iteration, metric.
    spacing_mm
        Voxel size z, y, x in mm.
    ct_window_hu
        CT values that are black and white.
    specimen, label
        The ear's name, and what the data are.
    """
    inside = mask > 0
    planes = middle_planes(inside, spacing_mm)
    low, high = np.percentile(microct[inside], GREY_PERCENTILES)
    microct_window, ct_window = Window(low, high), Window(*ct_window_hu)
    contour_hu = contour_level_hu(ct[inside])
    figure = new_figure(
        "CT registered to the micro-CT",
        label,
        f"specimen {specimen}; planes through the middle of the common field of view",
        2 * ROW_IN + TRACE_IN + 0.6,
    )
    # new_figure always sets a constrained layout, which the stubs do not know.
    figure.get_layout_engine().set(hspace=0.05)  # type: ignore[union-attr,call-arg]
    grid = figure.add_gridspec(3, 3, height_ratios=(ROW_IN, ROW_IN, TRACE_IN))
    for column, plane in enumerate(planes):
        overlay, board = (figure.add_subplot(grid[row, column]) for row in range(2))
        show_intensity(overlay, plane.of(microct), plane, microct_window)
        add_contours(overlay, plane.of(ct), plane, contour_hu, CT_COLOUR)
        if not plane.of(inside).all():
            add_contours(overlay, plane.of(inside).astype(float), plane, 0.5, MASK_COLOUR)
        overlay.set_title(plane.title)
        show_rgb(
            board,
            _checkerboard(microct_window.unit(plane.of(microct)), ct_window.unit(plane.of(ct))),
            plane,
        )
        if column == 0:
            add_scale_bar(overlay)
            overlay.set_ylabel("micro-CT with\nthe CT's outline")
            board.set_ylabel("micro-CT and CT\nin turn")
    _draw_trace(figure.add_subplot(grid[2, :]), trace)
    figure.legend(
        handles=[
            Line2D([], [], color=CT_COLOUR, label=f"CT at {contour_hu:.0f} HU"),
            Line2D([], [], color=MASK_COLOUR, label="edge of the common field of view"),
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def contour_level_hu(values: np.ndarray) -> float:
    """Return the Otsu threshold of the CT: the level of the outline that is drawn."""
    return float(threshold_otsu(values))


def _checkerboard(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return both images in turn, in tiles, as grey colours."""
    rows, columns = (np.arange(n) * TILES // n for n in first.shape)
    is_first = (rows[:, None] + columns[None]) % 2 == 0
    return np.repeat(np.where(is_first, first, second)[..., None], 3, axis=2)


def _draw_trace(axes: Axes, trace: pd.DataFrame) -> None:
    """Draw the metric against all iterations, one line a level, one colour a stage."""
    stages = list(dict.fromkeys(trace["stage"]))
    runs = (trace[["stage", "level"]] != trace[["stage", "level"]].shift()).any(axis=1).cumsum()
    drawn: set[str] = set()
    for _, run in trace.groupby(runs):
        stage = run["stage"].iloc[0]
        colour = METHOD_COLOURS[stages.index(stage) % len(METHOD_COLOURS)]
        axes.plot(
            run.index, run["metric"], color=colour, marker=".", markersize=3,
            label="_" if stage in drawn else stage,
        )  # fmt: skip
        axes.axvline(run.index[0], color=PALE, linewidth=0.6, zorder=0)
        drawn.add(stage)
    axes.set_xlabel("iteration, all levels in turn")
    axes.set_ylabel("metric (lower: better)")
    axes.legend(loc="best")
