"""3D Slicer landmark files, read as points in LPS."""

import csv
import json
from pathlib import Path

import numpy as np

from otosynth.errors import InputError
from otosynth.files import read_text

# Old .fcsv files number the coordinate system instead of naming it (3D Slicer, Markups module).
TO_LPS = {"LPS": (1, 1, 1), "1": (1, 1, 1), "RAS": (-1, -1, 1), "0": (-1, -1, 1)}


def read_landmarks(path: Path, specimen: str) -> dict[str, np.ndarray]:
    """Read a 3D Slicer ``.fcsv`` or ``.mrk.json`` file.

    Returns
    -------
    dict
        Label to point (3,), x, y, z in mm LPS, whatever the file's own coordinate system.

    Raises
    ------
    InputError
        The file is not what its name says, does not name its coordinate system, repeats a label,
        or holds a point that is not a number.
    """
    try:
        text = read_text(path)
    except InputError as error:
        raise InputError(f"{specimen}: {error}") from None
    try:
        rows, system = _fcsv(text) if path.suffix.lower() == ".fcsv" else _markups_json(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"{specimen}: {path} cannot be read as a 3D Slicer landmark file ({error})."
        ) from error
    if system not in TO_LPS:
        raise InputError(
            f"{specimen}: the header of {path} must say whether its coordinates are RAS or LPS; "
            f"found {system!r}."
        )
    landmarks: dict[str, np.ndarray] = {}
    for label, position in rows:
        if label in landmarks:
            raise InputError(f"{specimen}: {path} has two landmarks called {label!r}.")
        landmarks[label] = np.array(position) * TO_LPS[system]
        if landmarks[label].shape != (3,) or not np.isfinite(landmarks[label]).all():
            raise InputError(f"{specimen}: landmark {label!r} of {path} is not a point.")
    return landmarks


def _fcsv(text: str) -> tuple[list[tuple[str, list[float]]], str]:
    header = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    values = dict(line.split("=", 1) for line in header if "=" in line)
    fields = {key.strip(): value.strip() for key, value in values.items()}
    columns = [name.strip() for name in fields["columns"].split(",")]
    x, label = columns.index("x"), columns.index("label")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = [
        (row[label].strip(), [float(value) for value in row[x : x + 3]])
        for row in csv.reader(lines)
    ]
    return rows, fields.get("CoordinateSystem", "")


def _markups_json(text: str) -> tuple[list[tuple[str, list[float]]], str]:
    markups = json.loads(text)["markups"][0]
    rows = [
        (str(point["label"]), [float(value) for value in point["position"]])
        for point in markups["controlPoints"]
    ]
    return rows, str(markups.get("coordinateSystem", ""))
