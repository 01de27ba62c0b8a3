"""Bringing a CT onto the micro-CT's grid, and where both fields of view cover it."""

import numpy as np
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.registration.preparation import eroded
from otosynth.volumes.grids import Grid

# What a CT shows (HU) where its field of view ends: air.
AIR_HU = -1000.0
# Of a sum of weights that add up to one, in single precision.
WHOLE = 0.999


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


def field_of_view_mask(
    ct: sitk.Image,
    transform: sitk.Transform,
    reference: Grid,
    measured: sitk.Image | None = None,
) -> sitk.Image:
    """Mask of the voxels of a grid (or a slab of it) that the CT's field of view covers.

    The result is uint8, 0 or 1. The field of view reaches to the outer faces of the outermost CT
    voxels. Beyond the reference grid itself nothing is asked, so the mask is 1 where both fields
    of view cover.

    Parameters
    ----------
    ct : the CT
    transform : takes a reference point to a CT point, in mm LPS
    reference : grid of the result
    measured : what of the CT was measured (non-zero; :mod:`otosynth.volumes.measured`); a voxel
        whose cubic interpolation reaches what was not is outside then. None: all of it
    """
    inside = sitk.Image(ct.GetSize(), sitk.sitkFloat32) + 1
    inside.CopyInformation(ct)
    covered = _resample(inside, transform, reference, sitk.sitkLinear, 0.0)
    covered = sitk.Cast(covered > 0.5, sitk.sitkUInt8)
    if measured is None:
        return covered
    # A spline at a point needs the voxels before and after it, and one more on either side: it is
    # known where the former and all their neighbours are. Beyond the CT the mask above decides.
    safe = eroded(measured, min(measured.GetSpacing()))
    known = _resample(sitk.Cast(safe, sitk.sitkFloat32), transform, reference, sitk.sitkLinear, 0.0)
    return sitk.And(covered, sitk.Cast(known > WHOLE, sitk.sitkUInt8))


def resample_measured(
    ct: sitk.Image, measured: sitk.Image | None, transform: sitk.Transform, reference: Grid
) -> sitk.Image:
    """Resample a CT onto a grid, or a slab of it; air where it was not measured.

    So it is beyond its field of view; `field_of_view_mask` tells where that is.

    Parameters
    ----------
    ct, measured : as :func:`otosynth.volumes.measured.measured_part` gives them
    transform : takes a reference point to a CT point, in mm LPS
    reference : grid of the result
    """
    on_grid = resample_onto(ct, transform, reference, AIR_HU)
    if measured is None:
        return on_grid
    mask = field_of_view_mask(ct, transform, reference, measured)
    return sitk.Mask(on_grid, mask, AIR_HU)


def _resample(
    moving: sitk.Image, transform: sitk.Transform, grid: Grid, interpolator: int, outside: float
) -> sitk.Image:
    place = (grid.origin_mm, grid.spacing_mm, grid.direction)
    return sitk.Resample(
        moving, grid.size, transform, interpolator, *place, outside, sitk.sitkFloat32
    )


def overlap_fraction(mask: sitk.Image, measured: sitk.Image | None = None) -> float:
    """Fraction, 0 to 1, of the voxels of a mask that are set; of those that are measured."""
    covered = sitk.GetArrayViewFromImage(mask) > 0
    if measured is not None:
        covered = covered[sitk.GetArrayViewFromImage(measured) > 0]
    return float(np.mean(covered))


def check_overlap(
    mask: sitk.Image,
    specimen: str,
    settings: RegistrationSettings,
    measured: sitk.Image | None = None,
) -> None:
    """Refuse a pair whose CT covers too little of the micro-CT, or of what is measured of it.

    Raises
    ------
    InputError
        The covered fraction is below ``settings.min_overlap``.
    """
    fraction = overlap_fraction(mask, measured)
    if fraction < settings.min_overlap:
        raise InputError(
            f"{specimen}: the CT covers {100 * fraction:.0f} % of the micro-CT, less than the "
            f"{100 * settings.min_overlap:.0f} % that registration.min_overlap asks for. Check "
            "that both scans show the same ear, and the initial transform if one is given."
        )
