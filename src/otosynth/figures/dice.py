"""Figure 7: Dice of every class and method over the tested ears."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from otosynth.figures.method_rows import ceiling_note, draw_boxes, write_head, write_titles
from otosynth.figures.style import CLASS_TITLES, INK, new_figure
from otosynth.tissues import CLASSES

ROW_IN = 0.36


def draw_dice(
    dice: pd.DataFrame, published: pd.DataFrame, titles: Mapping[str, str], label: str
) -> Figure:
    """Draw boxplots of the Dice with every ear as a point (thesis, Fig. 7).

    Parameters
    ----------
    dice
        Columns specimen, method, class, dice.
    published
        Medians of others' data: columns method, class, value. Methods that the study does not
        have are left out.
    titles
        Method to its name, in the order of the rows.
    label
        What the data are.
    """
    methods = [method for method in titles if method in set(dice["method"])]
    specimens = sorted(dice["specimen"].unique())
    figure = new_figure(
        "Dice similarity coefficient (Eq. 7) of the tested ears",
        label,
        f"{len(specimens)} ears, each tested once; points: ears; boxes: median and quartiles"
        + ceiling_note(methods),
        len(methods) * ROW_IN + 0.75,
    )
    panels = figure.subplots(1, len(CLASSES), sharey=True)
    known = published[published["method"].isin(methods)]
    for axes, name, title in zip(panels, CLASSES, CLASS_TITLES, strict=True):
        _draw_class(axes, dice[dice["class"] == name], methods)
        _mark_published(axes, known[known["class"] == name], methods)
        axes.set_title(title)
        axes.set_xlabel("Dice")
    write_titles(panels[0], methods, titles)
    handles = [_point("o", INK, "one ear of this study")]
    if len(known):
        handles.append(_point("D", "none", "published median (Sun 2021, other data)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_class(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    ears = [rows[rows["method"] == m].sort_values("specimen")["dice"] for m in methods]
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
