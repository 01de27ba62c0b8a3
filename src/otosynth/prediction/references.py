"""A training ear as a model keeps it: what a new CT is placed and compared with."""

import numpy as np
import SimpleITK as sitk

from otosynth.prediction.model import (
    HU_PERCENTILES,
    Reference,
    ReferenceFacts,
    Triple,
)
from otosynth.registration.geometry import linear_part
from otosynth.registration.preparation import filled, marked, resample_to_spacing, smooth
from otosynth.volumes.grids import Grid, mirror

# Voxel of a training ear's coarse CT (mm): ears of different people are aligned no finer.
COARSE_MM = 0.6
# Voxel of the volumes that a prior is made of (mm), where the ear's own is smaller: half a CT's.
ATLAS_MM = 0.15
# Voxels of a training CT that its percentiles are taken from, at most.
MOST_VOXELS = 1_000_000


def reference_of(
    ear: str,
    ct: sitk.Image,
    mask: sitk.Image,
    pose: sitk.Transform,
    mirrored: bool,
    factor: int,
    hu: tuple[float, ...],
    ct_spacing_mm: Triple | None,
    prior: sitk.Image | None = None,
) -> Reference:
    """Return a training ear as the networks saw it: from the working side, on their grid.

    Parameters
    ----------
    ct, mask
        The CT (HU) on the micro-CT's grid, and the common field of view.
    pose
        Takes a micro-CT point to a point of the CT as it was scanned.
    mirrored
        Whether the ear is of the other side.
    factor
        Down-sampling of the pair before training.
    hu
        As :func:`hu_percentiles` gives them.
    ct_spacing_mm
        Voxel (x, y, z) of the CT as it was scanned; None: not known.
    prior
        What a prior is made of, on the grid of ``ct``: a class map (uint8) or a micro-CT.
    """
    atlas = {} if prior is None else _atlas(ct, mask, prior, mirrored)
    rotation = linear_part(pose)[0]
    if mirrored:
        ct, mask = mirror(ct), mirror(mask)
        rotation = _of_mirrored(rotation, ct)
    grid = Grid.of(mask).shrunk([factor] * 3)
    coarse = sitk.Cast(resample_to_spacing(smooth(ct, COARSE_MM), COARSE_MM), sitk.sitkInt16)
    mask = sitk.Resample(mask, coarse, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    facts = ReferenceFacts(
        ear=ear,
        grid=grid,
        coarse=Grid.of(coarse),
        rotation=rotation.ravel().tolist(),
        ct_spacing_mm=ct_spacing_mm,
        hu=hu,
        atlas=Grid.of(atlas["ct"]) if atlas else None,
    )
    return Reference(facts, coarse, mask, atlas)


def _atlas(
    ct: sitk.Image, mask: sitk.Image, prior: sitk.Image, mirrored: bool
) -> dict[str, sitk.Image]:
    """Return what is registered to a new ear, seen from the working side."""
    ct, mask, prior = (mirror(image) if mirrored else image for image in (ct, mask, prior))
    grid = _no_finer(ct)
    nearest = (sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    volumes = {
        "ct": sitk.Cast(grid, sitk.sitkInt16),
        "mask": sitk.Resample(mask, grid, *nearest),
    }
    if prior.GetPixelID() == sitk.sitkUInt8:
        return volumes | {"classmap": sitk.Resample(prior, grid, *nearest)}
    return volumes | {"microct": sitk.Cast(_no_finer(prior), sitk.sitkFloat32)}


def _no_finer(image: sitk.Image) -> sitk.Image:
    """Return an image with voxels of at least ``ATLAS_MM``; NaN stays NaN."""
    if Grid.of(image).voxel_mm >= ATLAS_MM:
        return image
    without, measured = filled(image)
    coarse = resample_to_spacing(smooth(without, ATLAS_MM), ATLAS_MM)
    if measured is None:
        return coarse
    nearest = (sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return marked(coarse, sitk.Resample(measured, coarse, *nearest))


def hu_percentiles(ct: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    """Return ``HU_PERCENTILES`` inside a mask, of every n-th voxel of a large volume (z, y, x)."""
    step = max(1, round((ct.size / MOST_VOXELS) ** (1 / 3)))
    some = (slice(None, None, step),) * 3
    values = np.asarray(ct[some])[np.asarray(mask[some]) > 0]
    return tuple(float(value) for value in np.percentile(values, HU_PERCENTILES))


def _of_mirrored(rotation: np.ndarray, ct: sitk.Image) -> np.ndarray:
    """Return the pose of a mirrored ear.

    Its voxels are flipped along the x index of its grid, and a new CT of that side from left to
    right.
    """
    flip = np.diag([-1.0, 1.0, 1.0])
    axes = np.reshape(ct.GetDirection(), (3, 3))
    return flip @ rotation @ axes @ flip @ axes.T
