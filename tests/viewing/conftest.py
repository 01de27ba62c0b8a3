"""A tiny study to look at: one ear, an atlas vote on its grid, and a method on a coarser one."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.viewing.study import ViewedEar, ViewedStudy

EDGE, SPACING = 8, 0.5
WINDOWS = {"ct": (-1000.0, 2500.0), "microct": (0.0, 0.06)}


def write(path, array, spacing=SPACING, origin=(10.0, -20.0, 5.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing] * 3)
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def truth() -> np.ndarray:
    """The class map z, y, x: slabs of air, soft tissue and bone along x."""
    return np.broadcast_to(np.repeat([0, 1, 1, 2], 2), (EDGE,) * 3).astype(np.uint8)


@pytest.fixture
def viewed(tmp_path, truth) -> ViewedStudy:
    mask = np.ones_like(truth)
    mask[0] = 0
    ear = tmp_path / "specimens/E1"
    ramp = np.linspace(-1500, 3000, EDGE**3, dtype=np.float32).reshape(truth.shape)
    for name, array in {"ct": ramp, "microct": ramp / 1e5, "mask": mask, "classmap": truth}.items():
        write(ear / f"{name}.nii", array)
    wrong = truth.copy()
    wrong[4, 4, 4] = 2
    wrong[0, 0, 0] = 2
    vote = tmp_path / "atlas/E1/majority.nii.gz"
    write(vote, wrong)
    coarse = tmp_path / "predictions/E1/gan/seed-1"
    origin = tuple(place + SPACING / 2 for place in (10.0, -20.0, 5.0))
    write(coarse / "classmap.nii.gz", truth[::2, ::2, ::2].copy(), 2 * SPACING, origin)
    write(coarse / "microct.nii.gz", (ramp / 1e5)[::2, ::2, ::2].copy(), 2 * SPACING, origin)
    predictions = {
        "atlas": {"classmap": vote},
        "gan": {name: coarse / f"{name}.nii.gz" for name in ("microct", "classmap")},
    }
    titles = {"atlas": "Atlas", "gan": "GAN"}
    return ViewedStudy("tiny", "test", titles, [ViewedEar("E1", ear, WINDOWS, predictions)])
