"""Which specimen, method and so on a number in a table or figure is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from otosynth.errors import InputError
from otosynth.metric_registry import METRICS, Place, metric_of
from otosynth.provenance.carried import CSV_COLUMN

# Columns that say what a row is about, by the names that tables give them.
KEYS = ("specimen", "group", "method", "seed", "grid", "class", "metric")
PUBLISHED = "(published)"


@dataclass(frozen=True)
class Selection:
    """A number that is asked about.

    Attributes
    ----------
    title
        The number in words.
    value
        The number as it stands there; empty where a figure's element has none.
    about
        What it is about: specimen, group, method, seed, grid, class, metric, as far as known.
    published
        Whether it was published, and so not computed here.
    """

    title: str
    value: str
    about: Mapping[str, str]
    published: bool = False


def select_cell(path: Path, row: str, column: str, titles: Mapping[str, str]) -> Selection:
    """Find a cell of a table.

    Parameters
    ----------
    path
        A CSV of ``tables/``.
    row
        The number of the row (from 1), a value of its first column, or ``key=value`` pairs
        joined by commas that only one row has.
    column
        The name of the column.
    titles
        Methods by their names in tables.

    Raises
    ------
    InputError
        If the table cannot be read, there is no such row or column, or more than one row.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from None
    table = table.drop(columns=[CSV_COLUMN], errors="ignore")
    if column not in table.columns:
        raise InputError(f"{path} has no column '{column}'. It has: {', '.join(table.columns)}.")
    found = _rows(table, row)
    if len(found) != 1:
        example = ",".join(f"{name}={table[name].iloc[0]}" for name in table.columns[:3])
        raise InputError(
            f"{path}: {len(found)} rows are '{row}'. Give the number of a row (1 to {len(table)}) "
            f"or its keys, such as {example}."
        )
    cells = found.iloc[0]
    about = {k.lower(): str(v) for k, v in cells.items() if str(k).lower() in KEYS and v}
    about = _with_method_names(about, titles)
    shown = column.removesuffix(PUBLISHED).strip()
    if shown in titles:
        about["method"] = titles[shown]
    about = _with_metric(about, path.stem)
    title = f"{path.stem}, row {row}, column {column}"
    return Selection(title, str(cells[column]), about, "ublished" in column)


def _rows(table: pd.DataFrame, row: str) -> pd.DataFrame:
    if "=" in row:
        for part in row.split(","):
            key, _, value = part.partition("=")
            names = [name for name in table.columns if str(name).lower() == key.strip().lower()]
            if not names:
                raise InputError(f"There is no column '{key}'. There are: {', '.join(table)}.")
            table = table[table[names[0]] == value.strip()]
        return table
    by_name = table[table.iloc[:, 0] == row]
    if by_name.empty and row.isdecimal() and 0 < int(row) <= len(table):
        return table.iloc[[int(row) - 1]]
    return by_name


def _with_method_names(about: dict[str, str], titles: Mapping[str, str]) -> dict[str, str]:
    """Replace a method's title, as tables show it, by its name."""
    if "method" not in about:
        return about
    return about | {"method": titles.get(about["method"], about["method"])}


def _with_metric(about: dict[str, str], place: str, drawn: str = "dice") -> dict[str, str]:
    """Add the metric that a table or a figure shows first, and its grid."""
    names = [metric.name for metric in METRICS if place in metric.shown]
    if place in (Place.FIGURE_7, Place.FIGURE_9):
        names = [drawn]
    if not names:
        return about
    metric = metric_of(about.get("metric", names[0]))
    return {"metric": metric.name, "grid": metric.grid} | about


def select_element(
    figure: str, words: Sequence[str], titles: Mapping[str, str], drawn: str = "dice"
) -> Selection:
    """Select an element of a figure by ``key=value`` words.

    Parameters
    ----------
    figure
        Its name, such as ``fig7``.
    words
        What the element is about.
    titles
        Methods by their names in tables.
    drawn
        The metric of Figures 7 and 9: the key ``figures.metric``.

    Raises
    ------
    InputError
        For a word that is no ``key=value``, an unknown key, or an unknown metric.
    """
    about = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in KEYS or not value:
            raise InputError(
                f"'{word}' is no element of a figure. Say what it is about by KEY=VALUE, such as "
                f"specimen=E1 method=multi_task. Keys are {', '.join(KEYS)}."
            )
        about[key] = value
    about = _with_method_names(about, titles)
    about = _with_metric(about, figure, drawn)
    return Selection(" ".join([figure, *words]), "", about)
