"""What Figures 7, 9 and 11 share: a row a method, with a number at the right border."""

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.figures.style import (
    CLASS_TITLES,
    GREY,
    INK,
    SMALL_PT,
    TEXT_PT,
    few_ticks,
    pale_grid,
)
from otosynth.metric_registry import Subject, metric_of
from otosynth.rows import Kind, kind_of
from otosynth.tissues import CLASSES

# Longer titles go on in a second line.
TITLE_CHARACTERS = 22
# What seaborn 0.13.2 makes matplotlib 3.11 say; a test tells when it no longer does.
SEABORN_WARNING = "vert: bool was deprecated in Matplotlib 3.11"


@dataclass(frozen=True)
class Panel:
    """A measure that has a panel of its own: its metric and class, and what stands above it."""

    metric: str
    tissue: str
    title: str


_TITLES = dict(zip(CLASSES, CLASS_TITLES, strict=True))
WHOLE: tuple[Panel | None, ...] = (
    Panel("mean_dice", "", "whole volume:\nmean of all"),
    *(Panel("dice", tissue, f"whole volume:\n{title}") for tissue, title in _TITLES.items()),
)
AT_COCHLEA: tuple[Panel | None, ...] = (
    Panel("cochlear_mean_dice", "", "at the cochlea:\nmean of both"),
    # Below air.
    None,
    *(
        Panel("cochlear_dice", tissue, f"at the cochlea:\n{_TITLES[tissue]}")
        for tissue in ("soft", "bone")
    ),
)
"""Rows of panels of Figures 7 and 9: the whole volume, and below it the cochlea."""


def panel_rows(measures: Sequence[tuple[str, str]]) -> list[list[Panel | None]]:
    """Return the rows of panels of some measures, each a metric and a class; None: a gap.

    Measures that neither the whole volume's row nor the cochlea's has stand in a row of their own,
    above.
    """
    rows = [[panel for panel in row if panel is None or (panel.metric, panel.tissue) in measures]
            for row in (WHOLE, AT_COCHLEA)]  # fmt: skip
    placed = {(panel.metric, panel.tissue) for row in rows for panel in row if panel}
    others: list[Panel | None] = [
        Panel(metric, tissue, _TITLES.get(tissue) or _title_of_all(metric))
        for metric, tissue in dict.fromkeys(measures)
        if (metric, tissue) not in placed
    ]
    return [row for row in (others, *rows) if any(row)]


def _title_of_all(metric: str) -> str:
    of_field = metric_of(metric).subject is Subject.FIELD
    return "all contacts" if of_field else "all classes"


def place_panels(
    figure: Figure,
    rows: Sequence[Sequence[Panel | None]],
    methods: Sequence[str],
    titles: Mapping[str, str],
    *,
    sharex: bool,
) -> list[tuple[Axes, Panel]]:
    """Make the axes of rows of panels, with their titles and those of the methods at the left.

    Parameters
    ----------
    rows
        As :func:`panel_rows` gives.
    methods
        From the top down.
    titles
        Method to its name.
    sharex
        Whether all axes have one scale.
    """
    columns = max(len(row) for row in rows)
    grid = figure.subplots(len(rows), columns, sharex=sharex, sharey=True, squeeze=False)
    placed = []
    for row, line in zip(rows, grid, strict=True):
        write_titles(line[0], methods, titles)
        for axes, panel in zip_longest(line, row):
            if panel is None:
                axes.set_visible(False)
                continue
            axes.set_title(panel.title)
            # Also above a gap.
            axes.tick_params(labelbottom=True)
            placed.append((axes, panel))
    return placed


def draw_boxes(
    axes: Axes,
    boxes: pd.DataFrame,
    points: pd.DataFrame,
    colours: Mapping[str, str],
    numbers: Mapping[str, str],
    ink: str = INK,
) -> None:
    """Draw a horizontal box of every method with its ears as points.

    Parameters
    ----------
    boxes, points
        What the boxes are of, and one value of every ear: columns method, specimen, value. Points
        of one ear have one height in all boxes.
    colours
        Method to its colour, from the top down.
    numbers
        Method to what stands beside its box.
    ink
        The colour of lines and points.
    """
    methods, ears = list(colours), sorted(points["specimen"].unique())
    rows = {"x": "value", "y": "method", "order": methods, "legend": False, "ax": axes}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", SEABORN_WARNING)
        sns.boxplot(
            boxes, hue="method", hue_order=methods, palette=colours, saturation=1, width=0.7,
            linecolor=ink, linewidth=0.8, medianprops={"linewidth": 1.2}, showfliers=False, **rows,
        )  # fmt: skip
    sns.stripplot(
        points, hue="specimen", hue_order=ears, palette=[ink] * len(ears), dodge=True, jitter=False,
        size=2.2, zorder=5, **rows,
    )  # fmt: skip
    axes.set(xlabel="", ylabel="")
    axes.margins(x=0.1)
    for box in axes.patches:
        row = round(box.get_path().get_extents().get_points()[:, 1].mean())
        if kind_of(methods[row]) is Kind.CEILING:
            box.set(linestyle="--", edgecolor=GREY)
    for row, method in enumerate(methods):
        write_beside(axes, row, numbers.get(method, ""))
    mark_ceilings(axes, methods)
    finish_rows(axes, len(methods))


def mark_ceilings(axes: Axes, methods: Sequence[str]) -> None:
    """Draw a line above the first ceiling, which stand below all methods."""
    first = next((k for k, name in enumerate(methods) if kind_of(name) is Kind.CEILING), 0)
    if first:
        axes.axhline(first - 0.5, color=GREY, linewidth=0.6, linestyle=(0, (4, 3)))


def write_titles(axes: Axes, methods: Sequence[str], titles: Mapping[str, str]) -> None:
    """Write the methods' titles at the left border; those of ceilings are grey."""
    lines = [
        textwrap.fill(titles[method], TITLE_CHARACTERS, break_on_hyphens=False)
        for method in methods
    ]
    axes.set_yticks(range(len(methods)), lines, fontsize=TEXT_PT)
    for label, method in zip(axes.get_yticklabels(), methods, strict=True):
        if kind_of(method) is Kind.CEILING:
            label.set_color(GREY)


def ceiling_note(methods: Sequence[str]) -> str:
    """Return what dashed boxes are, for the line above a figure; nothing where there are none."""
    if not any(kind_of(method) is Kind.CEILING for method in methods):
        return ""
    return "; dashed: ceilings, which know the micro-CT"


def write_beside(axes: Axes, row: float, text: str) -> None:
    """Write at the right border, beside a row."""
    axes.annotate(
        text, (1, row), xycoords=("axes fraction", "data"), xytext=(2, 0),
        textcoords="offset points", va="center", fontsize=SMALL_PT,
    )  # fmt: skip


def write_head(axes: Axes, text: str) -> None:
    """Write above what stands beside the rows, below the panel's title."""
    axes.annotate(
        text, (1, 1), xycoords="axes fraction", xytext=(2, 0), textcoords="offset points",
        va="center", fontsize=SMALL_PT, color=GREY,
    )  # fmt: skip


def finish_rows(axes: Axes, rows: int) -> None:
    """Put the first row on top, and lines at few round values."""
    axes.set_ylim(rows - 0.5, -0.5)
    axes.xaxis.set_major_locator(few_ticks())
    # Short, since three of them stand below a narrow panel.
    axes.xaxis.set_major_formatter("{x:g}")
    pale_grid(axes, "x")
    axes.tick_params(axis="y", length=0)
