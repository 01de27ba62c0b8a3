"""Checks of what was read: usable intensities, and CT and micro-CT not swapped."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError

# Air in HU, with room for noise and partial volume; the part of the voxels that must be air.
AIR_HU = (-1200.0, -300.0)
AIR_FRACTION = 0.001
# Values of a CT in HU (padding included) stay in this range, 98 % of them at least.
HU_RANGE = (-3100.0, 6000.0)


def check_intensities(image: sitk.Image, path: Path) -> None:
    """Refuse a volume with NaN or infinite voxels, or with one value everywhere.

    Raises
    ------
    InputError
        With ``path``, what is wrong and how many voxels.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    bad = voxels.size - int(np.count_nonzero(np.isfinite(voxels)))
    if bad:
        raise InputError(
            f"{path}: {bad} of {voxels.size} voxels are NaN or infinite; export the volume "
            "again, or replace them with the value of air."
        )
    lowest = voxels.min()
    if lowest == voxels.max():
        raise InputError(
            f"{path}: every voxel is {lowest:g}, so there is nothing to see; "
            "check that the export worked."
        )


def check_pair(ct: sitk.Image, microct: sitk.Image, specimen: str) -> None:
    """Refuse a pair whose spacing or units say that CT and micro-CT are swapped.

    The micro-CT must have the smaller voxels, and it must not be the one of the two that is
    in Hounsfield units (air near -1000) while the CT is not.

    Raises
    ------
    InputError
        With the specimen, the spacings in mm or the intensity ranges, and what to do.
    """
    advice = "exchange the columns ct and microct of the specimen table"
    ct_mm, microct_mm = _voxel_mm(ct), _voxel_mm(microct)
    if microct_mm > 1.01 * ct_mm:
        raise InputError(
            f"specimen {specimen}: the micro-CT's voxels ({microct_mm:.4g} mm) are larger than "
            f"the CT's ({ct_mm:.4g} mm); the two look swapped: {advice}."
        )
    if _in_hounsfield(microct) and not _in_hounsfield(ct):
        raise InputError(
            f"specimen {specimen}: the micro-CT ({_range(microct)}) is in Hounsfield units and "
            f"the CT ({_range(ct)}) is not; the two look swapped: {advice}, or give the CT in HU."
        )


def _voxel_mm(image: sitk.Image) -> float:
    """Edge in mm of a cube with the volume of one voxel."""
    return float(np.prod(image.GetSpacing()) ** (1 / 3))


def _in_hounsfield(image: sitk.Image) -> bool:
    """Tell whether the intensities look like HU: in range, and some of them air."""
    voxels = sitk.GetArrayViewFromImage(image).ravel()
    # A million voxels tell as much as all, and a whole micro-CT would be copied several times.
    voxels = voxels[:: max(1, voxels.size // 1_000_000)]
    low, high = np.percentile(voxels, (1, 99))
    air = np.mean((voxels >= AIR_HU[0]) & (voxels <= AIR_HU[1]))
    return bool(low >= HU_RANGE[0] and high <= HU_RANGE[1] and air >= AIR_FRACTION)


def _range(image: sitk.Image) -> str:
    voxels = sitk.GetArrayViewFromImage(image)
    return f"{voxels.min():.4g} to {voxels.max():.4g}"
