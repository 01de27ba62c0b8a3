"""Reliability of the predicted probabilities: confidence against accuracy."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from otosynth.calibration import expected_calibration_error
from otosynth.figures.style import GREY, method_colours, new_figure, pale_grid

CURVE_IN, BARS_IN = 2.6, 0.8
# Told apart without colour too.
MARKERS = "osD^vPX*"


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
    names = [f"{title} (ECE {expected_calibration_error(t):.3f})" for title, t in tables.items()]
    parts = [
        table.assign(
            method=name,
            middle=(table["low"] + table["high"]) / 2,
            share=100 * table["voxels"] / max(table["voxels"].sum(), 1),
        )
        for name, table in zip(names, tables.values(), strict=True)
    ]
    bins = pd.concat(parts, ignore_index=True)
    palette = list(method_colours(list(tables)).values())
    sns.lineplot(
        bins, x="confidence", y="accuracy", hue="method", palette=palette, style="method",
        markers=list(MARKERS[: len(tables)]), dashes=False, markersize=4, markeredgewidth=0,
        estimator=None, ax=curves,
    )  # fmt: skip
    first = next(iter(tables.values()))
    edges = [*first["low"], first["high"].iloc[-1]]
    sns.histplot(
        bins, x="middle", weights="share", hue="method", palette=palette, multiple="dodge",
        shrink=0.8, bins=edges, alpha=1, linewidth=0, legend=False, ax=bars,
    )  # fmt: skip
    curves.set(ylabel="accuracy (share correct)", ylim=(-0.02, 1.02))
    bars.set(ylabel="voxels (%)", xlabel="confidence (probability of the predicted class)")
    bars.set_xticks(np.linspace(0, 1, 11))
    bars.set_xlim(_least_used(tables) - 0.01, edges[-1] + 0.01)
    for axes in (curves, bars):
        pale_grid(axes)
    figure.align_ylabels([curves, bars])
    handles = curves.get_legend().legend_handles
    curves.get_legend().remove()
    figure.legend(
        handles, ["as sure as right", *names], loc="outside lower center",
        ncols=min(len(tables) + 1, 3),
    )  # fmt: skip
    return figure


def _least_used(tables: Mapping[str, pd.DataFrame]) -> float:
    """Return the lower edge of the first bin that any table fills; 0 if there is none."""
    used = [table.loc[table["voxels"] > 0, "low"] for table in tables.values()]
    return min((float(low.min()) for low in used if len(low)), default=0.0)
