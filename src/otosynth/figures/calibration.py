"""Reliability of the predicted probabilities: confidence against accuracy."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.calibration import expected_calibration_error
from otosynth.figures.style import GREY, method_colours, new_figure, pale_grid

CURVE_IN, BARS_IN = 2.6, 0.8
# Told apart without colour too.
MARKERS = "osD^vPX*"
# The bars of one bin fill this part of its width.
BAR_SHARE = 0.8


def draw_calibration(tables: Mapping[str, pd.DataFrame], label: str) -> Figure:
    """Draw reliability curves and, below, how many voxels have each confidence.

    Parameters
    ----------
    tables
        Title of a method to its table of :func:`otosynth.calibration.calibration_table`; all
        with the same bins.
    label
        What the data are.
    """
    figure = new_figure(
        "Calibration of the predicted class probabilities",
        label,
        "curve below the diagonal: too sure; ECE: expected calibration error",
        CURVE_IN + BARS_IN + 0.6,
    )
    curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=[CURVE_IN, BARS_IN])
    curves.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--", label="as sure as right")
    colours = method_colours(list(tables))
    for number, (title, table) in enumerate(tables.items()):
        error = expected_calibration_error(table)
        curves.plot(
            table["confidence"],
            table["accuracy"],
            color=colours[title],
            marker=MARKERS[number % len(MARKERS)],
            markersize=3.5,
            label=f"{title} (ECE {error:.3f})",
        )
        _draw_bars(bars, table, number, len(tables), colours[title])
    curves.set_ylabel("accuracy (share correct)")
    curves.set_ylim(-0.02, 1.02)
    bars.set_ylabel("voxels (%)")
    bars.set_xlabel("confidence (probability of the predicted class)")
    first = next(iter(tables.values()))
    bars.set_xticks(np.linspace(0, 1, 11))
    bars.set_xlim(_least_used(tables) - 0.01, first["high"].iloc[-1] + 0.01)
    for axes in (curves, bars):
        pale_grid(axes)
    figure.align_ylabels([curves, bars])
    figure.legend(loc="outside lower center", ncols=min(len(tables) + 1, 3))
    return figure


def _draw_bars(axes: Axes, table: pd.DataFrame, number: int, count: int, colour: str) -> None:
    share = 100 * table["voxels"] / max(table["voxels"].sum(), 1)
    width = BAR_SHARE * (table["high"] - table["low"]) / count
    middle = (table["low"] + table["high"]) / 2
    axes.bar(middle + (number - (count - 1) / 2) * width, share, width, color=colour)


def _least_used(tables: Mapping[str, pd.DataFrame]) -> float:
    """Return the lower edge of the first bin that any table fills; 0 if there is none."""
    used = [table.loc[table["voxels"] > 0, "low"] for table in tables.values()]
    return min((float(low.min()) for low in used if len(low)), default=0.0)
