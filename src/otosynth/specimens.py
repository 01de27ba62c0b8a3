"""The specimen table and the groups of the leave-k-out study (Table 1)."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from otosynth.errors import InputError
from otosynth.files import read_text
from otosynth.volumes.stated import NOTHING_STATED, Stated

NAME = re.compile(r"[A-Za-z0-9_-]+")
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
SCANS = ("ct", "microct")
STATED = ("ct_stated", "microct_stated")
OPTIONAL = ("side", "initial_transform", "electrodes", *STATED)
SETS = ("testing", "training", "validation")


@dataclass(frozen=True)
class Specimen:
    """One ear: its side, its scans (None for the phantom) and files that start registration.

    ``electrodes`` is its file of landmarks along the cochlea (docs/field.md), or None;
    ``ct_stated`` and ``microct_stated`` are what the lab states where a scan's file does not.
    """

    name: str
    side: str
    ct: Path | None
    microct: Path | None
    initial_transform: tuple[Path, ...]
    electrodes: Path | None = None
    ct_stated: Stated = NOTHING_STATED
    microct_stated: Stated = NOTHING_STATED


@dataclass(frozen=True)
class Group:
    """One fold: the names of the specimens tested, trained on and validated on."""

    name: str
    testing: tuple[str, ...]
    training: tuple[str, ...]
    validation: tuple[str, ...]


def read_specimens(
    table: Path,
    folder: Path,
    default_side: str,
    ct_stated: Stated = NOTHING_STATED,
    microct_stated: Stated = NOTHING_STATED,
) -> dict[str, Specimen]:
    """Read the specimen table (TSV or CSV), one row an ear, in the table's order.

    Columns: ``specimen``; ``ct`` and ``microct`` (both, or neither for the phantom); optional
    ``side`` (left or right), ``initial_transform`` (paths separated by commas: an ITK
    transform, or CT and micro-CT landmarks), ``electrodes`` (landmarks along the cochlea in the
    micro-CT), ``ct_stated`` and ``microct_stated`` (what a scan's file does not state).

    Parameters
    ----------
    table
        The file, its columns separated by tabs (.tsv) or commas (.csv).
    folder
        Folder that the table's paths are relative to.
    default_side
        Side of the ears whose row names none, ``left`` or ``right``.
    ct_stated, microct_stated
        What is stated of every scan; a row's own words go before.

    Raises
    ------
    InputError
        For a missing or unknown column, an empty table, a name that is empty, repeated or has
        other characters than A-Z a-z 0-9 _ -, a missing scan, an unknown side or statement.
    """
    rows = _read_table(table, required=("specimen",), optional=(*SCANS, *OPTIONAL))
    present = [scan for scan in SCANS if scan in rows[0]]
    if len(present) == 1:
        raise InputError(f"{table}: has a column {present[0]} only; ct and microct go together.")
    specimens: dict[str, Specimen] = {}
    for row in rows:
        specimen = _specimen(row, table, folder, default_side, (ct_stated, microct_stated))
        if specimen.name in specimens:
            raise InputError(f"{table}: specimen {specimen.name} stands in two rows; rename one.")
        specimens[specimen.name] = specimen
    return specimens


def _specimen(
    row: Mapping[str, str],
    table: Path,
    folder: Path,
    default_side: str,
    of_all: tuple[Stated, Stated],
) -> Specimen:
    """Validate one row."""
    name = _valid_name(row["specimen"], "specimen", table)
    side = row.get("side") or default_side
    if side not in SIDES:
        raise InputError(f"{table}: specimen {name} has the side '{side}'; write left or right.")
    for scan in SCANS:
        if row.get(scan) == "":
            raise InputError(f"{table}: specimen {name} has no {scan}; give its path.")
    try:
        ct_stated, microct_stated = (
            Stated.parse(row.get(column, ""), default)
            for column, default in zip(STATED, of_all, strict=True)
        )
    except InputError as error:
        raise InputError(f"{table}: specimen {name}: {error}") from None
    return Specimen(
        name=name,
        side=side,
        ct=folder / row["ct"] if "ct" in row else None,
        microct=folder / row["microct"] if "microct" in row else None,
        initial_transform=tuple(folder / p for p in _split(row.get("initial_transform", ""))),
        electrodes=folder / row["electrodes"] if row.get("electrodes") else None,
        ct_stated=ct_stated,
        microct_stated=microct_stated,
    )


def read_groups(table: Path) -> dict[str, Group]:
    """Read a table of groups: columns group, testing, training, validation (Table 1).

    The sets are names separated by commas (in a .csv file in quotes).

    Raises
    ------
    InputError
        For a missing or unknown column, an empty table, or an invalid or repeated group name.
    """
    groups: dict[str, Group] = {}
    for row in _read_table(table, required=("group", *SETS)):
        name = _valid_name(row["group"], "group", table)
        if name in groups:
            raise InputError(f"{table}: group {name} stands in two rows; rename one.")
        groups[name] = Group(name, **{each: _split(row[each]) for each in SETS})
    return groups


def make_groups(names: Sequence[str], k: int, validation: int, seed: int) -> dict[str, Group]:
    """Make leave-k-out groups: every specimen is tested once, in an order shuffled by the seed.

    Each group tests ``k`` specimens (the last one what is left), validates on the
    ``validation`` ones that follow in the shuffled circle, and trains on all others. Groups
    are named A, B, ..., Z, AA, AB, ...; within a set names keep the order given.

    Raises
    ------
    InputError
        If k or validation is below 1, or no specimen would be left to train on.
    """
    if k < 1 or validation < 1:
        raise InputError(
            f"leave-k-out needs k and validation of at least 1, not {k} and {validation}."
        )
    if len(names) <= k + validation:
        raise InputError(
            f"leave-{k}-out with {validation} for validation leaves none of {len(names)} "
            "specimens to train on; lower k or add specimens."
        )
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    groups = {}
    for number, start in enumerate(range(0, len(names), k)):
        testing = shuffled[start : start + k]
        following = shuffled[start + k :] + shuffled[:start]
        sets = {
            "testing": testing,
            "validation": following[:validation],
            "training": following[validation:],
        }
        name = _letters(number)
        groups[name] = Group(
            name, **{s: tuple(sorted(v, key=names.index)) for s, v in sets.items()}
        )
    return groups


def check_groups(groups: Mapping[str, Group], specimens: Iterable[str]) -> None:
    """Refuse groups that leak, test a specimen never or twice, or name an unknown one.

    Raises
    ------
    InputError
        With the group and the specimen.
    """
    known = list(specimens)
    for group in groups.values():
        _check_sets(group, known)
    times = Counter(name for group in groups.values() for name in group.testing)
    for name in known:
        tested_in = [group.name for group in groups.values() if name in group.testing]
        if not tested_in:
            raise InputError(
                f"specimen {name} is tested by no group; every specimen must be, once."
            )
        if times[name] > 1:
            raise InputError(
                f"specimen {name} is tested {times[name]} times (group {', '.join(tested_in)}); "
                "every specimen must be tested exactly once."
            )


def _check_sets(group: Group, known: Sequence[str]) -> None:
    """Refuse an empty set, an unknown specimen, or one that stands in two sets of the group."""
    seen: dict[str, str] = {}
    for each in SETS:
        names: tuple[str, ...] = getattr(group, each)
        if not names:
            raise InputError(f"group {group.name}: its {each} set is empty; name a specimen.")
        for name in names:
            if name not in known:
                raise InputError(
                    f"group {group.name}: {each} names the specimen {name}, which the specimen "
                    f"table does not have (known: {', '.join(known)})."
                )
            if name in seen:
                raise InputError(
                    f"group {group.name}: specimen {name} is in both {seen[name]} and {each}; "
                    "the sets of a group must not overlap."
                )
            seen[name] = each


def _read_table(
    table: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Read a table as text, one dict a row, and check its columns."""
    if not table.is_file():
        raise InputError(
            f"{table}: no such table. The keys data.specimens, data.folder and groups.table say "
            "where tables lie."
        )
    if table.suffix.lower() not in (".tsv", ".csv"):
        raise InputError(f"{table}: a table is .tsv (tabs) or .csv (commas).")
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    stream = io.StringIO(read_text(table), newline="")
    lines = [[cell.strip() for cell in line] for line in csv.reader(stream, delimiter=delimiter)]
    lines = [line for line in lines if any(line)]
    if not lines:
        raise InputError(f"{table}: the table is empty.")
    header, *rows = lines
    _check_columns(table, header, required, optional)
    if not rows:
        raise InputError(f"{table}: the table has a header but no rows.")
    for row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{table}: the row of '{row[0]}' has {len(row)} cells and the header "
                f"{len(header)}; separate cells by {'tabs' if delimiter == chr(9) else 'commas'}."
            )
    return [dict(zip(header, row, strict=True)) for row in rows]


def _check_columns(
    table: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    for column in required:
        if column not in header:
            raise InputError(
                f"{table}: the column {column} is missing (found: {', '.join(header)})."
            )
    for column in header:
        if column not in known:
            raise InputError(f"{table}: unknown column '{column}' (known: {', '.join(known)}).")
        if header.count(column) > 1:
            raise InputError(f"{table}: the column {column} stands twice.")


def _valid_name(name: str, what: str, table: Path) -> str:
    """Refuse a name that could not be a folder's name everywhere."""
    if not NAME.fullmatch(name):
        raise InputError(
            f"{table}: '{name}' is no {what} name; use letters, digits, _ and - only "
            "(no slash, dot or space)."
        )
    return name


def _split(cell: str) -> tuple[str, ...]:
    """Split a cell of names or paths at its commas."""
    return tuple(part.strip() for part in cell.split(",") if part.strip())


def _letters(number: int) -> str:
    """Name groups as spreadsheets name columns: 0 is A, 25 is Z, 26 is AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
