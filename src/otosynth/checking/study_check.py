"""What is wrong with a study's configuration, tables and scans, all of it at once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import yaml

from otosynth.checking.scan_facts import ScanFacts, facts_of_scan, some_voxels
from otosynth.configuration.study import Study, load_study
from otosynth.configuration.tables import (
    check_methods_fit_groups,
    check_paths,
    study_groups,
    study_specimens,
)
from otosynth.errors import InputError
from otosynth.files import read_text
from otosynth.registration.initialisation import read_initial_transform
from otosynth.registration.overlap import field_of_view_mask, overlap_fraction
from otosynth.registration.preparation import resample_to_spacing
from otosynth.specimens import Group, Specimen
from otosynth.volumes.checks import AIR_FRACTION, AIR_RANGE_HU, check_intensities, check_pair
from otosynth.volumes.grids import Grid
from otosynth.volumes.measured import measured_part
from otosynth.volumes.reading import declared_padding, read_volume
from otosynth.volumes.stated import Stated
from otosynth.volumes.volume import Volume

BASE = Path("config.yaml")
# Grid on which an initial transform's overlap is counted (mm).
OVERLAP_MM = 0.5


@dataclass(frozen=True)
class EarCheck:
    """What was seen of one ear.

    Attributes
    ----------
    scans
        The scans that could be read.
    facts
        One line a scan: what its file says, and its intensities.
    problems, warnings
        What stops the study, and what a person should look at.
    """

    specimen: Specimen
    scans: Mapping[str, sitk.Image]
    facts: tuple[ScanFacts, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def read_configuration(files: Iterable[Path], base: Path = BASE) -> dict[str, Any]:
    """Merge configuration files as Snakemake does: a later one changes the keys that it states.

    Parameters
    ----------
    files
        The overlays, in their order.
    base
        The default study, with every key.

    Raises
    ------
    InputError
        If a file is missing, no YAML, or no mapping.
    """
    merged: dict[str, Any] = {}
    for file in (base, *files):
        _update(merged, _read_yaml(file))
    return merged


def _read_yaml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(
            f"{file}: no such file. Run otosynth in the project's folder, where config.yaml lies, "
            "or name it by --base."
        )
    try:
        data = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: is not valid YAML ({error}).") from None
    if not isinstance(data, dict):
        raise InputError(f"{file}: must hold keys and values, such as `study: mylab`.")
    return data


def _update(merged: dict[str, Any], overlay: Mapping[str, Any]) -> None:
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            _update(merged[key], value)
        else:
            merged[key] = value


def read_study(
    files: Iterable[Path], base: Path = BASE, folder: Path | None = None
) -> tuple[Study, dict[str, Specimen], dict[str, Group]]:
    """Read and validate a study's configuration and tables.

    Parameters
    ----------
    files, base
        As in ``read_configuration``.
    folder
        Folder of the raw scans in place of the key ``data.folder``.

    Raises
    ------
    InputError
        Whatever Snakemake would refuse before its first job.
    """
    configuration = read_configuration(files, base)
    if folder is not None:
        _update(configuration, {"data": {"folder": str(folder)}})
    study = load_study(configuration)
    check_paths(study, base.absolute().parent)
    specimens = study_specimens(study)
    groups = study_groups(study, specimens)
    check_methods_fit_groups(study, groups)
    return study, specimens, groups


def check_ears(study: Study, specimens: Mapping[str, Specimen]) -> Iterator[EarCheck]:
    """Read and check every ear's scans, one at a time; problems are gathered, not raised."""
    owner: dict[Path, str] = {}
    for specimen in specimens.values():
        yield _check_ear(study, specimen, owner)


def _check_ear(study: Study, specimen: Specimen, owner: dict[Path, str]) -> EarCheck:
    problems, warnings, facts = [], [], []
    scans: dict[str, sitk.Image] = {}
    of_ear = (
        ("ct", specimen.ct, specimen.ct_stated),
        ("microct", specimen.microct, specimen.microct_stated),
    )
    for name, path, stated in of_ear:
        assert path is not None, "a study of files names its scans"
        try:
            scans[name] = _read(path, stated)
            seen, odd = facts_of_scan(name, path, stated, scans[name])
        except InputError as error:
            problems.append(str(error))
            continue
        facts.append(seen)
        warnings += odd
        other = owner.setdefault(path.resolve(), f"{name} of {specimen.name}")
        if other != f"{name} of {specimen.name}":
            problems.append(f"{path}: is the {other} as well; correct the specimen table.")
    if len(scans) == 2:
        problems += _problems_of_pair(study, specimen, **scans)
        warnings += _warnings_of_pair(**scans)
    return EarCheck(specimen, scans, tuple(facts), tuple(problems), tuple(warnings))


def _read(path: Path, stated: Stated) -> sitk.Image:
    image = read_volume(path, stated)
    check_intensities(image, path)
    return image


def _problems_of_pair(
    study: Study, specimen: Specimen, ct: sitk.Image, microct: sitk.Image
) -> list[str]:
    """Return what would stop a job of the study."""
    problems = []
    for check in (
        lambda: check_pair(Volume.of(ct), Volume.of(microct), specimen.name),
        lambda: _check_start(study, specimen, ct, microct),
        lambda: _check_patches(study, microct),
    ):
        try:
            check()
        except InputError as error:
            problems.append(str(error))
    return problems


def _check_start(study: Study, specimen: Specimen, ct: sitk.Image, microct: sitk.Image) -> None:
    """Refuse an initial transform that cannot be read, or that brings the scans apart."""
    if not specimen.initial_transform:
        return
    pose = read_initial_transform(specimen.initial_transform, specimen.name)
    coarse = resample_to_spacing(microct, max(OVERLAP_MM, *microct.GetSpacing()))
    assert specimen.ct is not None, "a study of files names its scans"
    ct, measured = measured_part(ct, declared_padding(specimen.ct))
    covered = overlap_fraction(field_of_view_mask(ct, pose, Grid.of(coarse), measured))
    least = study.registration.min_overlap
    if covered < least:
        raise InputError(
            f"{specimen.name}: with its initial transform the CT covers {covered:.0%} of the "
            f"micro-CT, less than registration.min_overlap ({least:.0%}). The transform must take "
            "a micro-CT point to a CT point (mm, LPS); landmarks: CT first."
        )


def _check_patches(study: Study, microct: sitk.Image) -> None:
    """Refuse a micro-CT that holds no patch at a method's down-sampling."""
    for name, method in study.methods.items():
        shortest = min(microct.GetSize()) // method.factor
        if shortest < study.patches.size:
            raise InputError(
                f"the micro-CT has {shortest} voxels along its shortest edge (with methods.{name}"
                f".factor {method.factor}), fewer than patches.size, {study.patches.size}."
            )


def _warnings_of_pair(ct: sitk.Image, microct: sitk.Image) -> list[str]:
    """Return what a person should look at."""
    warnings = []
    values = some_voxels(ct)
    if np.mean((values >= AIR_RANGE_HU[0]) & (values <= AIR_RANGE_HU[1])) < AIR_FRACTION:
        warnings.append(
            f"the CT has next to no voxel between {AIR_RANGE_HU[0]:.0f} and "
            f"{AIR_RANGE_HU[1]:.0f}, where air lies in HU; check its rescale slope and intercept."
        )
    if np.prod(_extent(ct)) < np.prod(_extent(microct)):
        warnings.append(
            "the CT's field of view is smaller than the micro-CT's; what it does not cover is "
            "left out."
        )
    return warnings


def _extent(image: sitk.Image) -> np.ndarray:
    return np.array(image.GetSize()) * np.array(image.GetSpacing())
