"""What a prediction leaves in its folder: volumes, the quality sheet and a record."""

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from otosynth.errors import InputError
from otosynth.figures.quality_sheet import draw_quality_sheet
from otosynth.figures.style import write_figure
from otosynth.files import (
    check_can_write,
    folder_written_whole,
    sha256_of,
    whole_files,
    write_json,
)
from otosynth.prediction.model import TrainedModel
from otosynth.prediction.predict import CtPrediction
from otosynth.provenance.places import files_within
from otosynth.registration.transforms import write_transform
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.formats import Source, source_of, write_as
from otosynth.volumes.reading import input_files
from otosynth.volumes.stated import NOTHING_STATED, Stated
from otosynth.volumes.writing import write_volume

RECORD, SHEET, POSE = "prediction.json", "quality", "pose.tfm"
SHEET_DPI = 200
# What is written, and what a DICOM series of it is called.
DESCRIPTIONS = {
    "microct": "Synthetic micro-CT (otosynth), not measured",
    "microct_std": "Spread of the synthetic micro-CT (otosynth)",
    "classmap": "Predicted air 0, soft tissue 1, bone 2 (otosynth)",
    "uncertainty": "Uncertainty of the classes, 0 to 1 (otosynth)",
    "mask": "Where otosynth predicted",
}


def check_folder(folder: Path, scan: Path) -> None:
    """Refuse a folder that holds anything but an earlier prediction of the same CT.

    Parameters
    ----------
    folder
        Where a prediction shall be written; what is there is then replaced.
    scan
        The CT's file or folder.

    Raises
    ------
    InputError
        If it does, is a file, or may not be written.
    """
    check_can_write(folder)
    there = {file for path in whole_files(folder) for file in files_within(path)}
    if not there:
        return
    record = _read_record(folder)
    ours = {folder / name for name in (*record.get("files", ()), RECORD)}
    if not record or there - ours:
        raise InputError(
            f"{folder}: is not empty and holds no prediction, or other files beside it; choose "
            "another --out."
        )
    if record.get("ct") != _hashes(scan):
        raise InputError(
            f"{folder}: holds the prediction of another CT ({', '.join(record.get('ct', ()))}); "
            "choose another --out."
        )


def _read_record(folder: Path) -> dict[str, Any]:
    """Return the record of the prediction in a folder; empty where there is none."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _hashes(scan: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in input_files(scan)}


def write_prediction(
    prediction: CtPrediction,
    model: TrainedModel,
    scan: Path,
    folder: Path,
    formats: Iterable[str] = ("nifti", "own"),
    stated: Stated = NOTHING_STATED,
) -> list[Path]:
    """Write all of a prediction.

    All of it appears at once, in place of an earlier prediction. ``prediction.json`` comes last and
    names every file with its SHA-256, so a folder with it is whole.

    Parameters
    ----------
    scan
        The CT's file or folder.
    folder
        Where to write; it is made.
    formats
        ``nifti``, and ``own`` for the format that the CT came in.
    stated
        What is known of the CT where its file does not state it.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If something cannot be written.
    """
    with folder_written_whole(folder, RECORD) as within:
        written = _fill(within, prediction, model, scan, formats, source_of(scan, stated))
        return [folder / path.relative_to(within) for path in written]


def _fill(
    folder: Path,
    prediction: CtPrediction,
    model: TrainedModel,
    scan: Path,
    formats: Iterable[str],
    source: Source,
) -> list[Path]:
    written = []
    for name, description in DESCRIPTIONS.items():
        image = prediction.volumes.get(name)
        if image is None:
            continue
        if "nifti" in formats and source.format != "nifti":
            written.append(folder / f"{name}.nii.gz")
            write_volume(image, written[-1])
        if "own" in formats or source.format == "nifti":
            written.append(write_as(image, folder / name, source, description))
    write_transform(prediction.placement.transform, folder / POSE)
    written.append(folder / POSE)
    record = _record(prediction, model, scan)
    written += _write_sheet(prediction, model, scan, folder, record)
    record["files"] = {
        str(file.relative_to(folder)): sha256_of(file)
        for path in written
        for file in files_within(path)
    }
    write_json(record, folder / RECORD)
    return [*written, folder / RECORD]


def _record(prediction: CtPrediction, model: TrainedModel, scan: Path) -> dict[str, Any]:
    placement = prediction.placement
    return {
        "otosynth": version("otosynth"),
        "model": {
            "name": model.facts.name,
            "label": model.facts.label,
            "digest": model.digest,
            "study_root": model.facts.root,
            "members": [f"{m.group}, seed {m.seed}, epoch {m.epoch}" for m in model.facts.members],
        },
        "ct": _hashes(scan),
        "side": placement.side,
        "placed_by": placement.reference.ear,
        "correlation": round(placement.correlation, 4),
        "turned_degrees": round(placement.turned_degrees, 2),
        "checks": [vars(check) for check in prediction.checks],
    }


def _write_sheet(
    prediction: CtPrediction,
    model: TrainedModel,
    scan: Path,
    folder: Path,
    record: dict[str, Any],
) -> list[Path]:
    mask = prediction.volumes["mask"]
    window = model.facts.members[0].windows().ct
    figure = draw_quality_sheet(
        {name: array_of(image) for name, image in prediction.volumes.items()},
        spacing_zyx(mask),
        mask.GetDirection(),
        (window.low, window.high),
        prediction.checks,
        f"{scan.name} as a {prediction.placement.side} ear",
        f"{model.facts.name} ({model.digest[:12]})",
        model.facts.label,
    )
    paths = [folder / f"{SHEET}{suffix}" for suffix in (".png", ".pdf")]
    decided = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    write_figure(figure, [str(path) for path in paths], SHEET_DPI, decided)
    return paths
