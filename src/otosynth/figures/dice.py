"""Figure 7: Dice, or another metric, of every class and method over the tested ears."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from otosynth.figures.method_rows import (
    ceiling_note,
    draw_boxes,
    panel_rows,
    place_panels,
    write_head,
)
from otosynth.figures.style import INK, method_colours, new_figure
from otosynth.metric_registry import metric_of

ROW_IN = 0.36
TITLES = {"dice": "Dice similarity coefficient (Eq. 7)"}


def draw_dice(
    values: pd.DataFrame,
    published: pd.DataFrame,
    titles: Mapping[str, str],
    label: str,
    region: str = "",
) -> Figure:
    """Draw boxplots of the Dice, or of another metric, with every ear as a point (thesis, Fig. 7).

    Parameters
    ----------
    values
        Of every ear (:func:`otosynth.statistics.ear_values`), of one metric or of all Dice
        (:func:`otosynth.metric_registry.drawn_with`): columns metric, specimen, method, class,
        value.
    published
        Median Dice of others' data, of the whole volume: columns method, class, value. Methods
        that the study does not have are left out.
    titles
        Method to its name, in the order of the rows.
    label
        What the data are.
    region
        From where the region at the cochlea is known (:func:`otosynth.cochlea.told`).
    """
    methods = [method for method in titles if method in set(values["method"])]
    metric = metric_of(values["metric"].iloc[0])
    rows = panel_rows(list(zip(values["metric"], values["class"], strict=True)))
    figure = new_figure(
        f"{TITLES.get(metric.name, metric.headline)} of the tested ears",
        label,
        f"{values['specimen'].nunique()} ears, each tested once; points: ears; boxes: median and "
        f"quartiles{ceiling_note(methods)}. {region}".strip(),
        len(rows) * (len(methods) * ROW_IN + 0.5) + 0.25,
    )
    known = published[published["method"].isin(methods) & (metric.name == "dice")]
    colours = method_colours(methods)
    for axes, panel in place_panels(figure, rows, methods, titles, sharex=False):
        of_panel = values[(values["metric"] == panel.metric) & (values["class"] == panel.tissue)]
        medians = of_panel.groupby("method")["value"].median().map("{:.2f}".format)
        draw_boxes(axes, of_panel, of_panel, colours, medians)
        write_head(axes, "median")
        if panel.metric == "dice":
            _mark_published(axes, known[known["class"] == panel.tissue], methods)
        axes.set_xlabel(metric.heading)
    handles = [_point("o", INK, "one ear of this study")]
    if len(known):
        handles.append(_point("D", "none", "published median (Sun 2021, other data)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _mark_published(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    for row in rows.itertuples():
        axes.plot(
            row.value, methods.index(row.method), "D", markersize=5, markerfacecolor="none",
            markeredgecolor=INK, markeredgewidth=1, zorder=6,
        )  # fmt: skip


def _point(marker: str, face: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=4, markerfacecolor=face,
        markeredgecolor=INK, label=label,
    )  # fmt: skip
