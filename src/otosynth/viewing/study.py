"""What of a finished study the viewer can show: ears, methods, and where their volumes lie."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from otosynth.configuration.atlas import AtlasSettings
from otosynth.errors import InputError
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Root, read_root
from otosynth.rows import Kind, Row, kind_of, marked_title, study_rows

PAIR = re.compile(r"specimens/([^/]+)/classmap\.nii")


@dataclass(frozen=True)
class ViewedEar:
    """An ear and what each method makes of it.

    Attributes
    ----------
    name
        The specimen.
    folder
        Where its CT, micro-CT, mask and class map lie, on one grid.
    windows
        Intensities that are black and white, of ``ct`` (HU) and ``microct``.
    predictions
        Of each method the files of its ``classmap`` and, where it gives one, its ``microct``.
    """

    name: str
    folder: Path
    windows: dict[str, tuple[float, float]]
    predictions: dict[str, dict[str, Path]]


@dataclass(frozen=True)
class ViewedStudy:
    """A study's name, what its data are, its methods' titles, and its ears."""

    name: str
    label: str
    titles: dict[str, str]
    ears: list[ViewedEar]


def read_viewed_study(places: Places) -> ViewedStudy:
    """Find all volumes of a finished study that the viewer can show.

    Raises
    ------
    InputError
        If the study is not finished, or its volumes are gone.
    """
    root = read_root(places)
    made = {name for job in root["jobs"].values() for name in job["makes"]}
    ears = sorted(match[1] for name in made if (match := PAIR.fullmatch(name)))
    gone = [e for e in ears if not (places.results / f"specimens/{e}/classmap.nii").is_file()]
    if not ears or gone:
        raise InputError(
            f"{places.results} has no volumes to show. Run the study, or fetch its bytes: dvc pull."
        )
    group_of, titles = groups_by_ear(places), method_titles(root)
    found = [
        ViewedEar(
            ear,
            places.results / "specimens" / ear,
            _windows(places.results / "groups" / group_of[ear] / "normalisation.json"),
            _predictions(places, root, made, ear),
        )
        for ear in ears
    ]
    shown = {method for ear in found for method in ear.predictions}
    titles = {
        method: marked_title(method, title) if kind_of(method) is Kind.CEILING else title
        for method, title in titles.items()
        if method in shown
    }
    return ViewedStudy(root["study"], root["label"], titles, found)


def method_titles(root: Root) -> dict[str, str]:
    """Return the titles of all rows by their names, and those of what only serves others."""
    return {name: row.title for name, row in _rows(root).items()}


def _rows(root: Root) -> dict[str, Row]:
    configuration = root["configuration"]
    return study_rows(
        AtlasSettings(**configuration["atlas"]),
        {name: keys["title"] for name, keys in configuration["methods"].items()},
        configuration["training"]["seeds"],
        is_phantom=configuration["data"]["source"] == "phantom",
    )


def groups_by_ear(places: Places) -> dict[str, str]:
    """Return the group that tests each ear, by Table 1."""
    table = pd.read_csv(places.results / "tables/table1.csv", dtype=str)
    return {
        ear: str(row["Group"])
        for row in table.to_dict("records")
        for ear in str(row["Testing"]).split(", ")
    }


def _windows(path: Path) -> dict[str, tuple[float, float]]:
    windows = json.loads(path.read_text(encoding="utf-8"))
    return {name: (windows[name]["low"], windows[name]["high"]) for name in ("ct", "microct")}


def _predictions(
    places: Places, root: Root, made: set[str], ear: str
) -> dict[str, dict[str, Path]]:
    """Return the predicted volumes of an ear by method, of the first seed."""
    names = {
        method: {
            "microct": row.microct_of(ear, row.seeds[0]),
            "classmap": row.classmap_of(ear, row.seeds[0]),
        }
        for method, row in _rows(root).items()
    }
    return {
        method: {volume: places.results / name for volume, name in files.items() if name in made}
        for method, files in names.items()
        if files["classmap"] in made
    }
