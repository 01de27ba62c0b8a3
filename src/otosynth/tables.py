"""Tables 1 to 3 of the thesis, with published values beside the regenerated ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from otosynth.files import write_bytes, write_csv
from otosynth.provenance.carried import CSV_COLUMN, LINE

PUBLISHED_NOTE = "Published values: Sun 2021, on other data."


def table1(groups: Mapping[str, Mapping[str, Sequence[str]]]) -> pd.DataFrame:
    """Table 1: testing, training and validation specimens of each group."""
    return pd.DataFrame(
        [
            {
                "Group": name,
                "Testing": ", ".join(sets["testing"]),
                "Training": ", ".join(sets["training"]),
                "Validation": ", ".join(sets["validation"]),
            }
            for name, sets in groups.items()
        ]
    )


def table2(
    selected: Mapping[tuple[str, str, int], str], titles: Mapping[str, str], published: str
) -> pd.DataFrame:
    """Table 2: the selected epoch of each method and group, and the published ones.

    Parameters
    ----------
    selected
        (group, method, seed) to the file ``selected.json``.
    titles
        Method to its name in tables.
    published
        The table of published values.
    """
    values = pd.read_csv(published, dtype=str).query("quantity == 'selected_epoch'")
    known = values.set_index(["group", "method"])["value"].to_dict()
    return pd.DataFrame(
        [
            {
                "Method": titles[method],
                "Group": group,
                "Seed": seed,
                "Selected epoch": json.loads(Path(file).read_text())["epoch"],
                "Published epoch": known.get((group, method), ""),
            }
            for (group, method, seed), file in selected.items()
        ]
    ).sort_values(["Method", "Group", "Seed"], kind="stable")


def table3(scores: str, titles: Mapping[str, str], published: str) -> pd.DataFrame:
    """Table 3: perceptual error (Eq. 8) by specimen and method.

    Published specimens are other ears; where names differ they stand in rows of their own.
    """
    regenerated = pd.read_csv(scores).pivot(
        index="specimen", columns="method", values="perceptual_error"
    )
    values = pd.read_csv(published).query("quantity == 'perceptual_error'")
    known = values.pivot(index="specimen", columns="method", values="value")
    table = pd.concat(
        [
            regenerated.rename(columns=titles).round(3),
            known.rename(columns=lambda method: f"{titles.get(method, method)} (published)"),
        ],
        axis=1,
    )
    return table.rename_axis("Specimen").reset_index()


def write_with_digest(table: pd.DataFrame, path: str, digest: str) -> None:
    """Write a table as CSV that carries, in its last column, the digest of what it is made from."""
    write_csv(table.assign(**{CSV_COLUMN: digest}), path)


def write_table(
    table: pd.DataFrame,
    label: str,
    files: Sequence[str],
    digest: str,
    notes: Sequence[str] = (),
) -> None:
    """Write a table as CSV and as Markdown, with a line that says what the data are.

    Parameters
    ----------
    digest
        What the table is made from (:func:`otosynth.provenance.records.decisions_digest`); both
        files carry it.
    notes
        Further sentences below the Markdown table.
    """
    csv, markdown = files
    write_with_digest(table, csv, digest)
    cells = table.astype(object).where(table.notna(), "")
    rows = [cells.columns, ["---"] * len(cells.columns), *cells.itertuples(index=False)]
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    note = f"Data: {label}."
    if any("ublished" in str(column) for column in table.columns):
        note += f" {PUBLISHED_NOTE}"
    paragraphs = [part for text in (note, *notes) for part in ("", text)]
    page = [*lines, *paragraphs, "", LINE.format(digest), ""]
    write_bytes(Path(markdown), "\n".join(page).encode())


def rows_from_json(
    study: str,
    label: str,
    specimens: Sequence[str],
    *files: Sequence[Path],
) -> pd.DataFrame:
    """Put JSON files of single specimens into one row each, nested keys joined by ``_``.

    Parameters
    ----------
    study, label
        The study and what its data are.
    specimens
        Names, in the order of the files.
    files
        One or more lists of files, each empty or one file a specimen.
    """
    rows = []
    for number, specimen in enumerate(specimens):
        row: dict[str, object] = {"study": study, "label": label, "specimen": specimen}
        for paths in filter(None, files):
            row |= _flat(json.loads(paths[number].read_text()))
        rows.append(row)
    return pd.DataFrame(rows)


def _flat(data: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{name}": number for name, number in value.items()}
        elif isinstance(value, list):
            flat |= {f"{key}_{number}": item for number, item in enumerate(value, start=1)}
        else:
            flat[key] = value
    return flat
