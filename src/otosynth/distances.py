"""Neighbourhoods in mm on a grid; arrays are z, y, x."""

import numpy as np
from scipy import ndimage

# NIfTI headers keep voxel sizes in single precision: five voxels of 0.1 mm are 0.5 mm too.
SPACING_ROUNDING = 1e-6
# The distance transform needs some 50 bytes a voxel, so it sees this many slices at once.
SLAB_SLICES = 64
# So that a distance of just the radius counts, however it was rounded.
ROUNDING = 1e-6

Spacing = tuple[float, float, float]


def within_distance(inside: np.ndarray, radius_mm: float, spacing_mm: Spacing) -> np.ndarray:
    """Voxels whose centre is at most a radius from that of a voxel inside, as booleans.

    Parameters
    ----------
    inside
        Booleans.
    radius_mm
        The largest Euclidean distance, mm.
    spacing_mm
        Voxel size z, y, x in mm.
    """
    radius_mm *= 1 + SPACING_ROUNDING
    # Slices further away than this are further away than the radius.
    reach = int(radius_mm / spacing_mm[0]) + 1
    near = np.zeros_like(inside)
    for first in range(0, len(inside), SLAB_SLICES):
        start = max(first - reach, 0)
        slab = inside[start : first + SLAB_SLICES + reach]
        # Without a voxel inside, the transform has no distances to give.
        if slab.any():
            distance = ndimage.distance_transform_edt(~slab, sampling=spacing_mm)
            own = slice(first - start, first - start + SLAB_SLICES)
            near[first : first + SLAB_SLICES] = distance[own] <= radius_mm * (1 + ROUNDING)
    return near
