"""Paired differences of every method to a reference method, ear by ear."""

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.figures.method_rows import (
    Panel,
    draw_boxes,
    panel_rows,
    place_panels,
    write_head,
)
from otosynth.figures.style import (
    GREY,
    INK,
    PALE,
    SMALL_PT,
    method_colours,
    new_figure,
)
from otosynth.metric_registry import Better, metric_of

ROW_IN, LINE_IN = 0.36, 0.13
FOOTER_CHARACTERS = 118
SIDES = {Better.HIGHER: "right", Better.LOWER: "left"}


def draw_differences(
    comparison: pd.DataFrame,
    titles: Mapping[str, str],
    label: str,
    ears: pd.DataFrame,
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
        As :func:`otosynth.statistics.paired_differences` gives; drawn as boxes and points.
    note
        Written below: what so few ears cannot show (:func:`otosynth.statistics.caveat`).
    """
    metric = metric_of(comparison["metric"].iloc[0])
    reference = titles[comparison["reference"].iloc[0]]
    methods = [method for method in titles if method in set(comparison["method"])]
    rows = panel_rows(list(zip(comparison["metric"], comparison["class"], strict=True)))
    lines = textwrap.wrap(note, FOOTER_CHARACTERS)
    has_better = metric.better is not Better.NEITHER
    figure = new_figure(
        f"{metric.headline}: difference to {reference} on the same ears",
        label,
        "diamonds: mean, thick lines: 95 % bootstrap interval over ears; dots: ears; boxes: their "
        "median and quartiles" + ("; at the right: ears won" if has_better else ""),
        len(rows) * (len(methods) * ROW_IN + 0.5) + len(lines) * LINE_IN + 0.4,
    )
    pale = dict.fromkeys(methods, PALE)
    # Of all titles, so that a method has its colour whatever the reference is.
    colours = {name: colour for name, colour in method_colours(list(titles)).items()
               if name in methods}  # fmt: skip
    for axes, panel in place_panels(figure, rows, methods, titles, sharex=True):
        of_panel = _of(comparison, panel).set_index("method")
        won = of_panel["ears_won"].astype(str) + "/" + of_panel["ears"].astype(str)
        points = _of(ears, panel).rename(columns={"difference": "value"})
        draw_boxes(axes, points, points, pale, won if has_better else {}, GREY)
        _draw_means(axes, of_panel.reindex(methods), list(colours.values()))
        if has_better:
            write_head(axes, "won")
    better = f" (better to the {SIDES[metric.better]})" if has_better else ""
    figure.supxlabel(
        f"difference in {metric.heading}, method minus {reference}{better}\n\n" + "\n".join(lines),
        fontsize=SMALL_PT,
    )
    return figure


def _of(table: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    return table[(table["metric"] == panel.metric) & (table["class"] == panel.tissue)]


def _draw_means(axes: Axes, rows: pd.DataFrame, colours: Sequence[str]) -> None:
    """Draw the mean differences with their intervals over the boxes."""
    axes.axvline(0, color=INK, linewidth=0.8, zorder=1)
    heights = range(len(rows))
    axes.hlines(heights, rows["low"], rows["high"], color=INK, linewidth=1.8, zorder=6)
    axes.scatter(
        rows["mean_difference"], heights, 25, colours, marker="D", edgecolor=INK, linewidth=0.8,
        zorder=7,
    )  # fmt: skip
