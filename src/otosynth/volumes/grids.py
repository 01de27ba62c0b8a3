"""Voxel grids: arrays on a grid, mirrored ears, and coarser grids with their true geometry."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import SimpleITK as sitk

from otosynth.tissues import AIR, BONE, SOFT

# Two grids are one when their corners agree to this part of a voxel; NIfTI headers keep
# geometry in single precision, so exact equality would fail after one round trip.
GRID_TOLERANCE_VOXELS = 0.01


def image_like(array: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Put an array (z, y, x) on the grid of ``reference``.

    Boolean arrays become 8-bit images, since ITK has no boolean voxels.

    Raises
    ------
    ValueError
        If the array does not have the reference's number of voxels along each axis.
    """
    expected = reference.GetSize()[::-1]
    if array.shape != expected:
        raise ValueError(f"array of shape {array.shape} on a grid of shape {expected} (z, y, x)")
    voxels = array.astype(np.uint8) if array.dtype == bool else np.ascontiguousarray(array)
    image = sitk.GetImageFromArray(voxels)
    image.CopyInformation(reference)
    return image


def _corners_mm(image: sitk.Image) -> np.ndarray:
    """Centres of the 8 corner voxels, shape (8, 3), x, y, z in mm."""
    last = [size - 1 for size in image.GetSize()]
    corners = product(*[(0, n) for n in last])
    return np.array([image.TransformIndexToPhysicalPoint(corner) for corner in corners])


def same_grid(a: sitk.Image, b: sitk.Image) -> bool:
    """Tell whether two images have the same size and the same voxel positions (0.01 voxel)."""
    if a.GetSize() != b.GetSize():
        return False
    tolerance_mm = GRID_TOLERANCE_VOXELS * min(a.GetSpacing())
    return bool(np.all(np.linalg.norm(_corners_mm(a) - _corners_mm(b), axis=1) <= tolerance_mm))


def onto_grid(image: sitk.Image, reference: sitk.Image, *, interpolate: bool) -> sitk.Image:
    """Bring an image to another grid in the same space; itself where the grids are one.

    Beyond the outermost voxel centres of a coarser grid the nearest voxel goes on.

    Parameters
    ----------
    image, reference
        Images whose points are in the same mm.
    interpolate
        Linear interpolation, for intensities; otherwise the nearest voxel, for classes.
    """
    if same_grid(image, reference):
        return image
    kind = sitk.sitkLinear if interpolate else sitk.sitkNearestNeighbor
    return sitk.Resample(
        image, reference, sitk.Transform(), kind, 0.0, image.GetPixelID(), True
    )  # fmt: skip


def mirror(image: sitk.Image) -> sitk.Image:
    """Flip the voxels along the x index (last array axis), keeping the grid.

    This turns a left ear into a right ear (method.md section 2) and is its own inverse.
    """
    return image_like(sitk.GetArrayViewFromImage(image)[:, :, ::-1], image)


def downsample(image: sitk.Image, factor: int) -> sitk.Image:
    """Average blocks of ``factor``^3 voxels (method.md section 5).

    The spacing grows by ``factor`` and the origin moves to the centre of the first block.
    Voxels at the far border that fill no whole block are left out. Float voxels stay float.
    """
    return sitk.BinShrink(image, [factor] * image.GetDimension())


def downsample_labels(image: sitk.Image, factor: int) -> sitk.Image:
    """Take each block's most frequent class; ties go to soft, then air, then bone.

    Grid as in :func:`downsample`; method.md section 5.
    """
    priority = (SOFT, AIR, BONE)
    parts = list(_block_parts(sitk.GetArrayViewFromImage(image), factor))
    counts = np.stack([np.sum([part == c for part in parts], axis=0) for c in priority])
    # argmax takes the first of equal counts, which is the priority order.
    labels = np.array(priority, dtype=np.uint8)[counts.argmax(axis=0)]
    return _on_block_grid(labels, image, factor)


def downsample_mask(image: sitk.Image, factor: int) -> sitk.Image:
    """Keep a block only where all its voxels are inside (non-zero). Grid as in `downsample`."""
    parts = _block_parts(sitk.GetArrayViewFromImage(image), factor)
    inside = np.logical_and.reduce([part != 0 for part in parts])
    return _on_block_grid(inside.astype(np.uint8), image, factor)


def _block_parts(array: np.ndarray, factor: int) -> Iterator[np.ndarray]:
    """Yield factor^3 strided views; view i holds voxel i of every whole block."""
    whole = array[tuple(slice(0, n - n % factor) for n in array.shape)]
    for z, y, x in product(range(factor), repeat=3):
        yield whole[z::factor, y::factor, x::factor]


def _on_block_grid(array: np.ndarray, image: sitk.Image, factor: int) -> sitk.Image:
    """Put an array of blocks on the coarser grid of ``image``."""
    blocks = sitk.GetImageFromArray(array)
    blocks.SetDirection(image.GetDirection())
    blocks.SetSpacing([spacing * factor for spacing in image.GetSpacing()])
    centre = [(factor - 1) / 2] * image.GetDimension()
    blocks.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(centre))
    return blocks
