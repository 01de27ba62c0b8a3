"""Figure 7: Dice of every class and method over the tested ears, whole and at the cochlea."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from otosynth.figures.method_rows import (
    WHOLE,
    ceiling_note,
    draw_boxes,
    panel_rows,
    place_panels,
    write_head,
)
from otosynth.figures.style import INK, new_figure

ROW_IN = 0.36


def draw_dice(
    values: pd.DataFrame,
    published: pd.DataFrame,
    titles: Mapping[str, str],
    label: str,
    region: str = "",
) -> Figure:
    """Draw boxplots of the Dice with every ear as a point (thesis, Fig. 7).

    Parameters
    ----------
    values
        Of every ear (:func:`otosynth.statistics.ear_values`), of one or more of
        :data:`otosynth.statistics.DICE_METRICS`: columns metric, specimen, method, class, value.
    published
        Medians of others' data, of the whole volume: columns method, class, value. Methods that
        the study does not have are left out.
    titles
        Method to its name, in the order of the rows.
    label
        What the data are.
    region
        From where the region at the cochlea is known (:func:`otosynth.cochlea.told`).
    """
    methods = [method for method in titles if method in set(values["method"])]
    rows = panel_rows(list(zip(values["metric"], values["class"], strict=True)))
    ears = f"{values['specimen'].nunique()} ears"
    figure = new_figure(
        "Dice similarity coefficient (Eq. 7) of the tested ears",
        label,
        f"{ears}, each tested once; points: ears; boxes: median and quartiles"
        f"{ceiling_note(methods)}. {region}".strip(),
        len(rows) * (len(methods) * ROW_IN + 0.5) + 0.25,
    )
    known = published[published["method"].isin(methods)]
    for axes, panel in place_panels(figure, rows, methods, titles, sharex=False):
        at = (values["metric"] == panel.metric) & (values["class"] == panel.tissue)
        _draw_measure(axes, values[at], methods)
        if panel in WHOLE:
            _mark_published(axes, known[known["class"] == panel.tissue], methods)
        axes.set_xlabel("Dice")
    handles = [_point("o", INK, "one ear of this study")]
    if len(known):
        handles.append(_point("D", "none", "published median (Sun 2021, other data)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_measure(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    ears = [rows[rows["method"] == m].sort_values("specimen")["value"] for m in methods]
    draw_boxes(axes, methods, ears, ears, [f"{values.median():.2f}" for values in ears])
    write_head(axes, "median")


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
