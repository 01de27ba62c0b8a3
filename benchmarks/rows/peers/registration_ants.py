"""ANTs, ``ants.registration(type_of_transform="Rigid")`` at its defaults, one thread.

Fixed and moving image are the study's: micro-CT and CT. It starts at the centres of mass.
"""

from pathlib import Path

import ants
import numpy as np


def prepare(folder: Path, settings: dict) -> tuple:
    """Read the pair that ours left."""
    microct, ct = (ants.image_read(str(folder / f"{name}.nii")) for name in ("microct", "ct"))
    return microct, ct, np.load(folder / "points.npy"), np.load(folder / "truth.npy")


def run(prepared: tuple) -> dict:
    """Register, and measure where the micro-CT's points go."""
    microct, ct, points, truth = prepared
    found = ants.registration(microct, ct, type_of_transform="Rigid")
    transform = ants.read_transform(found["fwdtransforms"][0])
    moved = np.array([transform.apply_to_point(point) for point in points])
    return {"TRE mm": float(np.linalg.norm(moved - truth, axis=1).mean())}
