"""Paired differences of every method to a reference method, ear by ear."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.figures.method_rows import (
    Panel,
    finish_rows,
    panel_rows,
    place_panels,
    write_beside,
    write_head,
)
from otosynth.figures.style import (
    GREY,
    INK,
    SMALL_PT,
    method_colours,
    new_figure,
)
from otosynth.statistics import LOWER_IS_BETTER

METRIC_TITLES = {
    "dice": "Dice",
    "mean_dice": "mean Dice",
    "cochlear_dice": "Dice at the cochlea",
    "cochlear_mean_dice": "mean Dice at the cochlea",
    "field_error": "error of the potential",
    "assd_mm": "ASSD (mm)",
    "hd95_mm": "HD95 (mm)",
    "perceptual_error": "perceptual error",
    "psnr_db": "PSNR (dB)",
    "ssim": "SSIM",
    "mean_absolute_error": "mean absolute error",
    "psnr_local_db": "local PSNR (dB)",
    "ssim_local": "local SSIM",
    "pixel_accuracy": "pixel accuracy",
    "perceptibility_dice": "perceptibility (Dice)",
    "perceptibility_assd_mm": "perceptibility (ASSD, mm)",
    "perceptibility_hd95_mm": "perceptibility (HD95, mm)",
    "s_score": "S-score",
}
ROW_IN, LINE_IN = 0.36, 0.13
FOOTER_CHARACTERS = 118
# The points of one row are spread over this height, in rows, above and below the interval.
SPREAD = 0.5


def draw_differences(
    comparison: pd.DataFrame,
    titles: Mapping[str, str],
    label: str,
    ears: pd.DataFrame | None = None,
    note: str = "",
) -> Figure:
    """Draw mean differences to the reference with their bootstrap intervals.

    Parameters
    ----------
    comparison
        As :func:`otosynth.statistics.paired_comparison` gives, for one reference and one metric,
        or for the Dice of the whole volume and at the cochlea.
    titles
        Method to its name, in the order of the rows.
    label
        What the data are.
    ears
        As :func:`otosynth.statistics.paired_differences` gives; drawn as points.
    note
        Written below: what so few ears cannot show (:func:`otosynth.statistics.caveat`).
    """
    metric, reference = comparison["metric"].iloc[0], comparison["reference"].iloc[0]
    methods = [method for method in titles if method in set(comparison["method"])]
    rows = panel_rows(list(zip(comparison["metric"], comparison["class"], strict=True)))
    lines = textwrap.wrap(note, FOOTER_CHARACTERS)
    name = METRIC_TITLES.get(metric, metric)
    figure = new_figure(
        f"{name}: difference to {titles[reference]} on the same ears",
        label,
        "diamonds: mean, lines: 95 % bootstrap interval over ears"
        + ("; dots: ears" if ears is not None else "")
        + "; at the right: ears won",
        len(rows) * (len(methods) * ROW_IN + 0.5) + len(lines) * LINE_IN + 0.4,
    )
    # Of all titles, so that a method has its colour whatever the reference is.
    colours = method_colours(list(titles))
    better = "left" if metric in LOWER_IS_BETTER else "right"
    for axes, panel in place_panels(figure, rows, methods, titles, sharex=True):
        _draw_class(axes, _of(comparison, panel), methods, colours)
        if ears is not None:
            _draw_ears(axes, _of(ears, panel), methods)
    figure.supxlabel(
        f"difference in {name}, method minus {titles[reference]} (better to the {better})\n\n"
        + "\n".join(lines),
        fontsize=SMALL_PT,
    )
    return figure


def _of(table: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    return table[(table["metric"] == panel.metric) & (table["class"] == panel.tissue)]


def _draw_class(
    axes: Axes, rows: pd.DataFrame, methods: Sequence[str], colours: Mapping[str, str]
) -> None:
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for row in rows.itertuples():
        if row.method not in methods:
            continue
        height = methods.index(row.method)
        axes.plot([row.low, row.high], [height, height], color=INK, linewidth=1.4, zorder=4)
        axes.plot(
            row.mean_difference, height, "D", markersize=5, markerfacecolor=colours[row.method],
            markeredgecolor=INK, markeredgewidth=0.8, zorder=6,
        )  # fmt: skip
        write_beside(axes, height, f"{row.ears_won}/{row.ears}")
    write_head(axes, "won")
    finish_rows(axes, len(methods))


def _draw_ears(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    for height, method in enumerate(methods):
        values = rows[rows["method"] == method].sort_values("specimen")["difference"]
        # One ear keeps its height in all rows.
        heights = height + np.linspace(-SPREAD / 2, SPREAD / 2, len(values))
        axes.plot(values, heights, "o", color=GREY, markersize=2.2, zorder=5)
