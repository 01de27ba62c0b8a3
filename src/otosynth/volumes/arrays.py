"""Images as arrays (z, y, x)."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.volumes.reading import read_volume


def array_of(image: sitk.Image) -> np.ndarray:
    """Return a copy of an image's voxels (z, y, x)."""
    return sitk.GetArrayFromImage(image)


def spacing_zyx(image: sitk.Image) -> tuple[float, float, float]:
    """Return the voxel size in mm in the order of the array's axes (z, y, x)."""
    x, y, z = image.GetSpacing()
    return z, y, x


def read_labels(path: Path) -> sitk.Image:
    """Read a mask or class map as 8-bit voxels.

    Raises
    ------
    InputError
        As ``read_volume``.
    """
    return sitk.Cast(read_volume(path), sitk.sitkUInt8)
