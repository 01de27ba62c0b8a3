"""Checks of what was read: usable intensities, and CT and micro-CT not swapped."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.volume import Volume

# Air in HU, with room for noise and partial volume; the part of the voxels that must be air.
AIR_RANGE_HU = (-1200.0, -300.0)
AIR_FRACTION = 0.001
# Values of a CT in HU (padding included) stay in this range, 98 % of them at least.
HU_RANGE = (-3100.0, 6000.0)


def checked_intensities(slabs: Iterable[np.ndarray], path: Path) -> Iterator[np.ndarray]:
    """Pass the slabs of a volume on; refuse NaN or infinite voxels, or one value everywhere.

    Raises
    ------
    InputError
        After the last slab, with ``path``, what is wrong and how many voxels.
    """
    bad = voxels = 0
    lowest, highest = math.inf, -math.inf
    for slab in slabs:
        bad += slab.size - int(np.count_nonzero(np.isfinite(slab)))
        voxels += slab.size
        lowest, highest = min(lowest, slab.min()), max(highest, slab.max())
        yield slab
    if bad:
        raise InputError(
            f"{path}: {bad} of {voxels} voxels are NaN or infinite; export the volume "
            "again, or replace them with the value of air."
        )
    if lowest == highest:
        raise InputError(
            f"{path}: every voxel is {lowest:g}, so there is nothing to see; "
            "check that the export worked."
        )


def check_intensities(image: sitk.Image, path: Path) -> None:
    """Do as `checked_intensities` with a whole image."""
    list(checked_intensities([sitk.GetArrayViewFromImage(image)], path))


def check_pair(ct: Volume, microct: Volume, specimen: str) -> None:
    """Refuse a pair whose spacing or units say that CT and micro-CT are swapped.

    The micro-CT must have the smaller voxels, and it must not be the one of the two that is
    in Hounsfield units (air near -1000) while the CT is not.

    Raises
    ------
    InputError
        With the specimen, the spacings in mm or the intensity ranges, and what to do.
    """
    advice = "exchange the columns ct and microct of the specimen table"
    ct_mm, microct_mm = ct.grid.voxel_mm, microct.grid.voxel_mm
    if microct_mm > 1.01 * ct_mm:
        raise InputError(
            f"specimen {specimen}: the micro-CT's voxels ({microct_mm:.4g} mm) are larger than "
            f"the CT's ({ct_mm:.4g} mm); the two look swapped: {advice}."
        )
    if in_hounsfield(microct) and not in_hounsfield(ct):
        raise InputError(
            f"specimen {specimen}: the micro-CT ({_range(microct)}) is in Hounsfield units and "
            f"the CT ({_range(ct)}) is not; the two look swapped: {advice}, or give the CT in HU."
        )


def in_hounsfield(volume: Volume) -> bool:
    """Tell whether the intensities look like HU: in range, and some of them air."""
    # About a million voxels tell as much as all.
    step = max(1, round((volume.voxels.size / 1_000_000) ** (1 / 3)))
    voxels = volume.voxels[::step, ::step, ::step]
    low, high = np.percentile(voxels, (1, 99))
    air = np.mean((voxels >= AIR_RANGE_HU[0]) & (voxels <= AIR_RANGE_HU[1]))
    return bool(low >= HU_RANGE[0] and high <= HU_RANGE[1] and air >= AIR_FRACTION)


def _range(volume: Volume) -> str:
    ends = [(slab.min(), slab.max()) for _, slab in volume.slabs()]
    return f"{min(low for low, _ in ends):.4g} to {max(high for _, high in ends):.4g}"
