"""The geometry of a TIFF stack, in a JSON file beside it.

TIFF has no voxel size, so a file ``spacing.json`` lies in the folder (or beside the multi-page
file, where ``<name>.spacing.json`` goes before it when several lie in one folder)::

    {"spacing_mm": [0.0376, 0.0376, 0.0376], "origin_mm": [0, 0, 0],
     "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1]}

``spacing_mm`` (x, y, z) is needed; z is the distance of neighbouring slices. ``origin_mm``
(x, y, z of the first voxel's centre, LPS) defaults to zeros, and ``direction`` (ITK's 3 x 3
direction matrix row by row, its columns the directions of the x, y and z index) to the identity,
or to the orientation that the lab states.
"""

import json
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError, field_validator
from pydantic_core import ErrorDetails

from otosynth.errors import InputError
from otosynth.files import read_text

ENDINGS = (".tif", ".tiff")
SIDECAR = "spacing.json"

EXAMPLE = '{"spacing_mm": [x, y, z], "origin_mm": [x, y, z]}'
SHOULD_BE = {
    "spacing_mm": "3 numbers above 0 (x, y, z)",
    "origin_mm": "3 numbers (x, y, z)",
    "direction": "9 numbers, the rows of a rotation matrix (orthonormal columns)",
}

Triple = tuple[float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]


class Geometry(BaseModel):
    """Contents of ``spacing.json``; see the module's docstring."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @field_validator("direction")
    @classmethod
    def _orthonormal(cls, direction: Matrix) -> Matrix:
        matrix = np.reshape(direction, (3, 3))
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4):
            raise ValueError("must be a rotation matrix (orthonormal columns)")
        return direction


def is_tiff(path: Path) -> bool:
    """Tell by its ending whether a file is TIFF."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def sidecar_of(path: Path) -> Path:
    """Path of the sidecar of a multi-page file: its own, or the one of its folder."""
    own = path.with_name(f"{path.stem}.{SIDECAR}")
    return own if own.exists() else path.with_name(SIDECAR)


def read_geometry(path: Path) -> Geometry:
    """Read and validate a sidecar."""
    if not path.is_file():
        raise InputError(f"{path}: missing. A TIFF stack needs it for its voxel size: {EXAMPLE}.")
    try:
        return Geometry.model_validate(json.loads(read_text(path), object_pairs_hook=_each_once))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: is no JSON from line {error.lineno}, column {error.colno} on; write it as "
            f"{EXAMPLE}."
        ) from error
    except ValidationError as error:
        problems = dict.fromkeys(map(_in_words, error.errors()))
        raise InputError(f"{path}: {'; '.join(problems)}. Correct it.") from error
    except _RepeatedKeyError as error:
        raise InputError(f"{path}: has the key '{error}' twice; remove one of them.") from error


class _RepeatedKeyError(Exception):
    """A JSON object has a key twice, and JSON does not say which value holds."""


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKeyError(key)
        found[key] = value
    return found


def _in_words(problem: ErrorDetails) -> str:
    """Say what is wrong with a key, without the validator's own terms."""
    key = str(problem["loc"][0]) if problem["loc"] else ""
    if key not in SHOULD_BE:
        known = f"it holds the keys {', '.join(SHOULD_BE)}"
        return f"'{key}' is no key of it; {known}" if key else f"{known}, in braces"
    lacks = problem["type"] == "missing" and len(problem["loc"]) == 1
    return f"{key}{' is missing; it' if lacks else ''} should be {SHOULD_BE[key]}"
