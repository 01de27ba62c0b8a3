"""otosynth's rigid registration, automatic search at its defaults."""

from pathlib import Path

import SimpleITK as sitk
from registration_pair import error_mm, pair_in

from otosynth.configuration.registration import RegistrationSettings
from otosynth.registration import register_rigid
from otosynth.volumes.volume import Volume


def prepare(folder: Path, settings: dict) -> tuple:
    """Make or read the pair."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return pair_in(folder, settings)


def run(prepared: tuple) -> dict:
    """Register without an initial transform."""
    microct, ct, points, truth = prepared
    found = register_rigid(Volume.of(microct), ct, RegistrationSettings(), None, 1)
    return {"TRE mm": error_mm(found.transform, points, truth)}
