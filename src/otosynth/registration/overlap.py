"""Bringing a CT onto the micro-CT's grid, and where both fields of view cover it."""

import numpy as np
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.volumes.grids import Grid

# What a CT shows (HU) where its field of view ends: air.
AIR_HU = -1000.0


def resample_onto(
    moving: sitk.Image, transform: sitk.Transform, reference: Grid, outside: float
) -> sitk.Image:
    """Resample an image onto a reference grid, or a slab of it, by cubic B-spline interpolation.

    Parameters
    ----------
    moving : image to bring over, in any unit
    transform : takes a reference point to a moving point, in mm LPS
    reference : grid of the result
    outside : value, in the unit of ``moving``, beyond its field of view

    Returns
    -------
    sitk.Image
        float32, on the grid ``reference``.
    """
    return _resample(moving, transform, reference, sitk.sitkBSpline, outside)


def field_of_view_mask(ct: sitk.Image, transform: sitk.Transform, reference: Grid) -> sitk.Image:
    """Mask of the voxels of a grid (or a slab of it) that the CT's field of view covers.

    The result is uint8, 0 or 1. The field of view reaches to the outer faces of the outermost CT
    voxels. Beyond the reference grid itself nothing is asked, so the mask is 1 where both fields
    of view cover.
    """
    inside = sitk.Image(ct.GetSize(), sitk.sitkFloat32) + 1
    inside.CopyInformation(ct)
    covered = _resample(inside, transform, reference, sitk.sitkLinear, 0.0)
    return sitk.Cast(covered > 0.5, sitk.sitkUInt8)


def _resample(
    moving: sitk.Image, transform: sitk.Transform, grid: Grid, interpolator: int, outside: float
) -> sitk.Image:
    place = (grid.origin_mm, grid.spacing_mm, grid.direction)
    return sitk.Resample(
        moving, grid.size, transform, interpolator, *place, outside, sitk.sitkFloat32
    )


def overlap_fraction(mask: sitk.Image) -> float:
    """Fraction, 0 to 1, of the voxels of a mask that are set."""
    return float(np.mean(sitk.GetArrayViewFromImage(mask) > 0))


def check_overlap(mask: sitk.Image, specimen: str, settings: RegistrationSettings) -> None:
    """Refuse a pair whose CT covers too little of the micro-CT.

    Raises
    ------
    InputError
        The covered fraction is below ``settings.min_overlap``.
    """
    fraction = overlap_fraction(mask)
    if fraction < settings.min_overlap:
        raise InputError(
            f"{specimen}: the CT covers {100 * fraction:.0f} % of the micro-CT, less than the "
            f"{100 * settings.min_overlap:.0f} % that registration.min_overlap asks for. Check "
            "that both scans show the same ear, and the initial transform if one is given."
        )
