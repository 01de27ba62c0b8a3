"""Figure 7: Dice of every class and method over the tested ears."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from otosynth.figures.style import (
    CLASS_TITLES,
    GREY,
    INK,
    PALE,
    SMALL_PT,
    TEXT_PT,
    method_colours,
    new_figure,
)
from otosynth.tissues import CLASSES

ROW_IN = 0.36
# The points of one box are spread over this height, in rows.
SPREAD = 0.4


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
        f"{len(specimens)} ears, each tested once; points: ears; boxes: median and quartiles",
        len(methods) * ROW_IN + 0.75,
    )
    panels = figure.subplots(1, len(CLASSES), sharey=True)
    known = published[published["method"].isin(methods)]
    for axes, name, title in zip(panels, CLASSES, CLASS_TITLES, strict=True):
        _draw_class(axes, dice[dice["class"] == name], methods)
        _mark_published(axes, known[known["class"] == name], methods)
        axes.set_title(title)
        axes.set_xlabel("Dice")
    panels[0].set_yticks(range(len(methods)), [titles[m] for m in methods], fontsize=TEXT_PT)
    # The first method stands on top.
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    handles = [_point("o", INK, "one ear of this study")]
    if len(known):
        handles.append(_point("D", "none", "published median (Sun 2021, other data)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_class(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    colours = method_colours(methods)
    boxes = axes.boxplot(
        [rows[rows["method"] == method]["dice"] for method in methods],
        positions=range(len(methods)),
        orientation="horizontal",
        widths=0.6,
        showfliers=False,
        patch_artist=True,
        boxprops={"linewidth": 0.8},
        medianprops={"color": INK, "linewidth": 1.2},
        whiskerprops={"linewidth": 0.8},
        capprops={"linewidth": 0.8},
    )
    for box, method in zip(boxes["boxes"], methods, strict=True):
        box.set_facecolor(colours[method])
    for row, method in enumerate(methods):
        values = rows[rows["method"] == method].sort_values("specimen")["dice"]
        # One ear keeps its height in all boxes.
        heights = row + np.linspace(-SPREAD / 2, SPREAD / 2, len(values))
        axes.plot(values, heights, "o", color=INK, markersize=2.2, zorder=5)
        axes.annotate(
            f"{values.median():.2f}",
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL_PT,
        )
    axes.annotate(
        "median", (1, 1), xycoords="axes fraction", xytext=(2, 6), textcoords="offset points",
        va="bottom", fontsize=SMALL_PT, color=GREY,
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


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
