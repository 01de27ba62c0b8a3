"""otosynth's atlas vote of one target: four ears registered, class maps carried, majority.

The ears are the phantom's (setting ``spacing_mm``), with each CT on its micro-CT's grid as the
study has them; the class maps are the exact ones, so that Dice measures the registration.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.atlas import carry_class_map, register_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.fusion import majority_vote
from otosynth.phantom import make_ear
from otosynth.registration import AIR_HU, field_of_view_mask, resample_onto
from otosynth.tissues import CLASSES
from otosynth.volumes.grids import Grid

TARGET, ATLASES = "V1", ("V2", "V3", "V4", "V5")
SEED = 1


def prepare(folder: Path, settings: dict) -> dict[str, dict[str, sitk.Image]]:
    """Make the ears once and leave them for the peer."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    for ear in (TARGET, *ATLASES):
        if not (folder / f"{ear}_labels.nii").exists():
            _make(ear, folder, PhantomSettings(spacing_mm=settings["spacing_mm"]))
    return {
        ear: {
            name: sitk.ReadImage(str(folder / f"{ear}_{name}.nii"))
            for name in ("ct", "mask", "labels")
        }
        for ear in (TARGET, *ATLASES)
    }


def run(prepared: dict[str, dict[str, sitk.Image]]) -> dict:
    """Register every atlas, carry its classes, vote."""
    target = prepared[TARGET]
    votes = []
    for name in ATLASES:
        atlas = prepared[name]
        transform = register_atlas(
            target["ct"], atlas["ct"], AtlasSettings(), SEED, target["mask"], atlas["mask"]
        )
        carried = carry_class_map(atlas["labels"], transform, target["ct"])
        votes.append(sitk.GetArrayFromImage(carried))
    fused, truth = majority_vote(votes), sitk.GetArrayFromImage(target["labels"])
    return {"Dice": float(np.median([_dice(fused == k, truth == k) for k in range(len(CLASSES))]))}


def _make(name: str, folder: Path, settings: PhantomSettings) -> None:
    ear = make_ear(name, "right", settings, SEED)
    ct = resample_onto(sitk.Cast(ear.ct, sitk.sitkFloat32), ear.pose, Grid.of(ear.microct), AIR_HU)
    mask = field_of_view_mask(ear.ct, ear.pose, Grid.of(ear.microct))
    for kind, image in (("ct", ct), ("mask", mask), ("labels", ear.labels)):
        sitk.WriteImage(image, str(folder / f"{name}_{kind}.nii"))


def _dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())
