"""The long table of all scores, and its views (docs/method.md, section 8)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from otosynth.metric_registry import metric_of
from otosynth.rows import kind_of

SCORE_COLUMNS = [
    "study", "label", "seed", "group", "specimen", "method", "grid", "class", "metric", "value",
]  # fmt: skip


def gather(
    files: Sequence[Path], study: str, label: str, group_of: Mapping[str, str]
) -> pd.DataFrame:
    """Put the scores of all predictions into one long table.

    Parameters
    ----------
    files
        Paths ``.../<specimen>/<method>/seed-<n>.csv`` of single predictions' scores, and of the
        electric fields that they predict.
    study, label
        The study and what its data are.
    group_of
        The group that tests each specimen.

    Returns
    -------
    DataFrame
        One row a number: study, label, seed, group, specimen, method, grid, class, metric,
        value. What nothing trains (yardsticks, atlases, ceilings) has the seed 0. Scores of an
        electric field have the grid ``field`` and, where they are of one contact,
        ``contact <n>`` as class.

    Raises
    ------
    InputError
        If a file has a metric that the registry lacks.
    """
    tables = []
    for file in files:
        specimen = file.parent.parent.name
        # An empty value is NaN (a class that is absent); an empty class is the micro-CT's.
        table = pd.read_csv(file).fillna({"class": ""})
        tables.append(
            table.assign(
                study=study,
                label=label,
                seed=int(file.stem.removeprefix("seed-")),
                group=group_of[specimen],
                specimen=specimen,
                method=file.parent.name,
            )
        )
    scores = pd.concat(tables)[SCORE_COLUMNS]
    for name in scores["metric"].unique():
        metric_of(name)
    return scores


def dice_view(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the Dice on the micro-CT grid: study, group, specimen, method, class, dice.

    Several seeds of a method are averaged.
    """
    rows = scores.query("metric == 'dice' and grid == 'microct'")
    keys = ["study", "group", "specimen", "method", "class"]
    return rows.groupby(keys, sort=False)["value"].mean().rename("dice").reset_index()


def cochlear_dice_view(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the same at the cochlea: study, group, specimen, method, class, cochlear_dice.

    The class is soft, bone, or empty for their mean; NaN where the region is not known.
    """
    rows = scores.query("metric in ['cochlear_dice', 'cochlear_mean_dice'] and grid == 'microct'")
    keys = ["study", "group", "specimen", "method", "class"]
    return rows.groupby(keys, sort=False)["value"].mean().rename("cochlear_dice").reset_index()


def perceptual_error_view(scores: pd.DataFrame) -> pd.DataFrame:
    """Return Eq. 8 on the micro-CT grid: study, group, specimen, method, perceptual_error."""
    rows = scores.query("metric == 'perceptual_error' and grid == 'microct'")
    keys = ["study", "group", "specimen", "method"]
    return rows.groupby(keys, sort=False)["value"].mean().rename("perceptual_error").reset_index()


def with_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column `kind` after `method`: whether a row is a method at all.

    The kinds are those of :class:`otosynth.rows.Kind`.
    """
    place = list(table.columns).index("method") + 1
    marked = table.copy()
    marked.insert(place, "kind", [str(kind_of(name)) for name in table["method"]])
    return marked
