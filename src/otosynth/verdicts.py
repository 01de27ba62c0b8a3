"""In words: which methods do not beat the yardsticks, two numbers on the CT (method.md 8)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from otosynth.metric_registry import Better, Metric, Place, metrics_in
from otosynth.rows import Kind, kind_of
from otosynth.statistics import ear_values

LEAD = (
    "Against the yardsticks, which need no training: medians over the same ears, seeds averaged "
    "first, each measure against the yardstick that is best in it. This says nothing of chance."
)
TISSUES = {"air": "air", "soft": "soft tissue", "bone": "bone"}


@dataclass(frozen=True)
class Measure:
    """A metric of one class, or of all (empty), by which methods are held against yardsticks."""

    metric: Metric
    tissue: str

    @property
    def name(self) -> str:
        """Return the measure in words."""
        of_class = f" of {TISSUES[self.tissue]}" if self.tissue else ""
        return f"{self.metric.title}{of_class}"

    def written(self, value: float) -> str:
        """Return a value as text."""
        return f"{100 * value:.1f} %" if self.metric.percent else f"{value:.3f}"


MEASURES = tuple(
    Measure(metric, tissue)
    for metric in metrics_in(Place.VERDICTS)
    for tissue in (TISSUES if metric.name == "dice" else [""])
)


@dataclass(frozen=True)
class Verdict:
    """A method's median of a measure, and that of the best yardstick on the same ears."""

    measure: Measure
    yardstick: str
    median: float
    best: float

    @property
    def beaten(self) -> bool:
        """Whether the method is better than the yardstick; as good is not better."""
        if self.measure.metric.better is Better.LOWER:
            return self.median < self.best
        return self.median > self.best


def verdicts_of(scores: pd.DataFrame, method: str) -> list[Verdict]:
    """Hold a method against the yardsticks, measure by measure.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`, of one study.

    Returns
    -------
    list
        In the order of :data:`MEASURES`; those without an ear that both have are left out.
    """
    found = (_verdict(scores, method, measure) for measure in MEASURES)
    return [verdict for verdict in found if verdict is not None]


def _verdict(scores: pd.DataFrame, method: str, measure: Measure) -> Verdict | None:
    values = _by_ear(scores, measure)
    candidates = [
        Verdict(measure, name, float(both[method].median()), float(both[name].median()))
        for name in values.columns
        if kind_of(name) is Kind.YARDSTICK and method in values.columns
        for both in [values[[method, name]].dropna()]
        if len(both)
    ]
    if not candidates:
        return None
    sign = -1 if measure.metric.better is Better.LOWER else 1
    return max(candidates, key=lambda verdict: sign * verdict.best)


def _by_ear(scores: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return the values of a measure: a row an ear, a column a method; empty where it has none."""
    name, grid = measure.metric.name, measure.metric.grid
    known = scores[(scores["metric"] == name) & (scores["grid"] == grid)]
    if known["value"].notna().sum() == 0:
        return pd.DataFrame()
    values = ear_values(known, name)
    of_class = values[values["class"] == measure.tissue]
    # Columns in the order of the scores, so that of equal yardsticks the first is named.
    order = [name for name in scores["method"].unique() if name in set(of_class["method"])]
    return of_class.pivot(index="specimen", columns="method", values="value")[order]


def say_verdicts(scores: pd.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Say of every atlas and trained method in one sentence which yardsticks it does not beat.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`, of one study.
    titles
        Method to its name, in the order of the sentences.

    Returns
    -------
    list
        Nothing where no yardstick was scored, else what the sentences are of, and the sentences.
    """
    sentences = list(_sentences(scores, titles))
    return [LEAD, *sentences] if sentences else []


def _sentences(scores: pd.DataFrame, titles: Mapping[str, str]) -> Iterator[str]:
    for method, title in titles.items():
        if kind_of(method) not in (Kind.ATLAS, Kind.TRAINED):
            continue
        verdicts = verdicts_of(scores, method)
        lost: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            if not verdict.beaten:
                lost.setdefault(verdict.yardstick, []).append(verdict)
        parts = [f"{titles[name]} in {_listed(of_one)}" for name, of_one in lost.items()]
        if parts:
            yield f"{title} does not beat {', nor '.join(parts)}."
        elif verdicts:
            names = [verdict.measure.name for verdict in verdicts]
            yield f"{title} beats every yardstick in {_joined(names)}."


def _listed(verdicts: list[Verdict]) -> str:
    return _joined(
        [
            f"{v.measure.name} ({v.measure.written(v.median)} against {v.measure.written(v.best)})"
            for v in verdicts
        ]
    )


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
