"""One pair to register, with its pose known: what all sides of the registration rows share.

By default the phantom's ear, whose CT is made from the anatomy itself; the CT is turned by exactly
``angle`` degrees. With ``mouse`` (a folder with ``specimens.tsv``) the CT is simulated from that
specimen's micro-CT, as ``bench.py registration`` does.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from registration import points_of, simulate_ct

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom import make_ear
from otosynth.phantom.variation import generator
from otosynth.seeds import derive_seed
from otosynth.specimens import read_specimens
from otosynth.volumes.reading import read_volume

SEED = 1


def pair_in(folder: Path, settings: dict) -> tuple[sitk.Image, sitk.Image, np.ndarray, np.ndarray]:
    """Return micro-CT, CT, points in the micro-CT (n, 3) mm, and where they lie in the CT.

    Made once and left in ``folder`` for every side, settings ``specimen``, ``angle`` and ``mouse``.
    """
    if not (folder / "truth.npy").exists():
        make = _mouse if settings.get("mouse") else _phantom
        microct, ct, pose, points = make(settings)
        sitk.WriteImage(sitk.Cast(microct, sitk.sitkFloat32), str(folder / "microct.nii"))
        sitk.WriteImage(sitk.Cast(ct, sitk.sitkFloat32), str(folder / "ct.nii"))
        np.save(folder / "points.npy", points)
        np.save(folder / "truth.npy", [pose.TransformPoint(point) for point in points.tolist()])
    microct, ct = (sitk.ReadImage(str(folder / f"{name}.nii")) for name in ("microct", "ct"))
    return microct, ct, np.load(folder / "points.npy"), np.load(folder / "truth.npy")


def error_mm(transform: sitk.Transform, points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of where a transform takes the points from where they lie, mm."""
    found = np.array([transform.TransformPoint(point) for point in points.tolist()])
    return float(np.linalg.norm(found - truth, axis=1).mean())


def _phantom(settings: dict) -> tuple[sitk.Image, sitk.Image, sitk.Transform, np.ndarray]:
    # The ear draws the share of the largest rotation by which it is turned; undo the draw.
    share = generator(SEED, settings["specimen"], "pose").uniform(0.3, 1.0)
    phantom = PhantomSettings(max_rotation_deg=settings["angle"] / share)
    ear = make_ear(settings["specimen"], "right", phantom, SEED)
    return ear.microct, ear.ct, ear.pose, np.concatenate([ear.centreline, ear.box_corners])


def _mouse(settings: dict) -> tuple[sitk.Image, sitk.Image, sitk.Transform, np.ndarray]:
    folder, name = Path(settings["mouse"]), settings["specimen"]
    specimen = read_specimens(folder / "specimens.tsv", folder, "right")[name]
    microct = read_volume(specimen.microct)
    ct, pose = simulate_ct(
        microct, settings["angle"], derive_seed(SEED, name, str(settings["angle"]))
    )
    return microct, ct, pose, points_of(microct)
