"""Training curves as lines of SVG, drawn by the report in the reader's theme."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from otosynth.reporting.study import ReportedStudy
from otosynth.selection import PREFIX

# Inner size of a chart in its own units; the template's frame is larger.
WIDTH, HEIGHT = 200.0, 90.0
# Columns of a history that are no curve of a loss.
NO_LOSS = ("epoch", "steps", "learning_rate")


@dataclass(frozen=True)
class Line:
    """A curve: which group it is of, its points in the chart, and its end in words."""

    group: str
    points: str
    last: str


@dataclass(frozen=True)
class Chart:
    """Curves of one quantity over the epochs, with the ends of both axes."""

    title: str
    lines: list[Line]
    low: str
    high: str
    first_epoch: int
    last_epoch: int


@dataclass(frozen=True)
class Curves:
    """Training curves of a method, and the training behind each group's, by group."""

    method: str
    title: str
    charts: list[Chart]
    jobs: dict[str, str]


def training_curves(study: ReportedStudy) -> Iterator[Curves]:
    """Yield the training curves of every trained method, of the first seed."""
    configuration = study.root["configuration"]
    seed = configuration["training"]["seeds"][0]
    groups = sorted(set(study.group_of.values()))
    for method, keys in configuration["methods"].items():
        folders = {group: f"training/{group}/{method}/seed-{seed}" for group in groups}
        losses = _histories(study, folders, "history.tsv")
        if not losses:
            continue
        drawn = charts(losses, ": training")
        drawn += charts(_histories(study, folders, "validation.tsv"), ": validation")
        jobs = {group: study.traces.of(f"{folders[group]}/history.tsv") for group in losses}
        yield Curves(method, keys["title"], drawn, jobs)


def _histories(study: ReportedStudy, folders: dict[str, str], name: str) -> dict[str, pd.DataFrame]:
    return {
        group: pd.read_csv(study.places.path_of(f"{folder}/{name}"), sep="\t")
        for group, folder in folders.items()
        if f"{folder}/{name}" in study.tree.maker
    }


def charts(histories: dict[str, pd.DataFrame], suffix: str = "") -> list[Chart]:
    """Return a chart of every column.

    Parameters
    ----------
    histories
        By group: a table with a column ``epoch`` and one of each quantity; empty cells are left
        out of the curve, and so is validation, which has a table of its own.
    suffix
        What is added to every title.
    """
    columns = [
        column
        for column in dict.fromkeys(c for table in histories.values() for c in table.columns)
        if column not in NO_LOSS and not column.startswith(PREFIX)
    ]
    drawn = (_chart(column, histories, suffix) for column in columns)
    return [chart for chart in drawn if chart]


def _chart(column: str, histories: dict[str, pd.DataFrame], suffix: str) -> Chart | None:
    series = {}
    for group, table in histories.items():
        if column in table.columns:
            known = table[["epoch", column]].dropna()
            known = known[known[column].map(math.isfinite)]
            if len(known):
                series[group] = known
    if not series:
        return None
    together = pd.concat(series.values())
    low, high = float(together[column].min()), float(together[column].max())
    first, last = int(together["epoch"].min()), int(together["epoch"].max())
    lines = [
        Line(
            group,
            " ".join(
                f"{WIDTH * (epoch - first) / max(1, last - first):.1f},"
                f"{HEIGHT * (1 - (value - low) / ((high - low) or 1)):.1f}"
                for epoch, value in known.itertuples(index=False)
            ),
            f"{known[column].iloc[-1]:.4g}",
        )
        for group, known in series.items()
    ]
    title = column.replace("_", " ") + suffix
    return Chart(title, lines, f"{low:.3g}", f"{high:.3g}", first, last)
