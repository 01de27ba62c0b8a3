"""Scans filled up to a box: the padding registers nothing, and is outside the mask."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from otosynth.api import class_map, phantom_ear, register, voxels
from otosynth.registration.overlap import (
    AIR_HU,
    field_of_view_mask,
    resample_measured,
    resample_onto,
)
from otosynth.registration.target_error import target_registration_error
from otosynth.volumes.grids import Grid, image_like

COARSE = {"spacing_mm": 0.4, "size_mm": 13.0, "ct_spacing_mm": 0.5}


@pytest.fixture(scope="module")
def ear():
    return phantom_ear("E1", "right", 1, **COARSE)


def outside_circle(image, middle_mm, radius_mm):
    """Voxels (z, y, x) outside a cylinder along z through a point."""
    x, y, _ = image.TransformPhysicalPointToContinuousIndex(middle_mm)
    _, rows, columns = np.indices(image.GetSize()[::-1])
    return np.hypot(columns - x, rows - y) * image.GetSpacing()[0] > radius_mm


def padded_ct(ear, radius_mm, value):
    middle = Grid.of(ear.microct).centre_mm.tolist()
    outside = outside_circle(ear.ct, ear.pose.TransformPoint(middle), radius_mm)
    return image_like(np.where(outside, np.float32(value), voxels(ear.ct)), ear.ct), outside


def points_within(ear):
    corners = np.array(list(np.ndindex(2, 2, 2))) * 6.0 - 3.0
    return Grid.of(ear.microct).centre_mm + corners


@pytest.mark.parametrize(("radius_mm", "value"), [(8.0, -2000), (8.0, -3024), (6.5, -3024)])
def test_a_round_field_of_view_finds_the_pose_and_is_left_out_of_the_mask(ear, radius_mm, value):
    ct, outside = padded_ct(ear, radius_mm, value)
    found = register(ct, ear.microct, candidates=3)
    errors_mm = target_registration_error(found.pose, ear.pose, points_within(ear))
    assert errors_mm.max() < 0.05
    padding = image_like(outside.astype(np.float32), ct)
    touched = sitk.Resample(padding, ear.microct, found.pose, sitk.sitkLinear, 0.0)
    mask = voxels(found.mask) > 0
    assert (voxels(touched)[mask] == 0).all(), "no voxel is interpolated from padding"
    assert 0.3 < mask.mean() < 0.95
    # As without padding, up to what the spline's far tail says.
    plain = resample_onto(ear.ct, found.pose, Grid.of(ear.microct), AIR_HU)
    assert np.abs(voxels(found.ct) - voxels(plain))[mask].max() < 100
    assert (voxels(found.ct)[~mask] == AIR_HU).all()


def test_a_micro_ct_s_circle_is_left_out_too(ear):
    middle = Grid.of(ear.microct).centre_mm.tolist()
    outside = outside_circle(ear.microct, middle, 6.0)
    lowest = float(voxels(ear.microct).min()) - 0.01
    microct = image_like(np.where(outside, np.float32(lowest), voxels(ear.microct)), ear.microct)
    found = register(ear.ct, microct, candidates=3)
    errors_mm = target_registration_error(found.pose, ear.pose, points_within(ear))
    assert errors_mm.max() < 0.05
    covered = field_of_view_mask(ear.ct, found.pose, Grid.of(microct))
    assert (voxels(found.mask) == voxels(covered) * ~outside).all()
    # Its class map is that of the whole micro-CT, but for the closing next to the border.
    inside = found.mask
    classes, whole = voxels(class_map(microct, inside)), voxels(class_map(ear.microct, inside))
    away = ~ndimage.binary_dilation(outside, np.ones((3, 3, 3)), iterations=2)
    assert away.sum() > 10_000
    assert (classes == whole)[away].all()
    # What was not measured is no air: the nearest class goes on.
    assert (classes[outside] > 0).any()


def test_a_pair_without_padding_is_registered_as_ever(ear):
    found = register(ear.ct, ear.microct, candidates=2)
    grid = Grid.of(ear.microct)
    assert (voxels(found.mask) == voxels(field_of_view_mask(ear.ct, found.pose, grid))).all()
    assert (voxels(found.ct) == voxels(resample_onto(ear.ct, found.pose, grid, AIR_HU))).all()


def test_a_spline_that_reaches_padding_is_outside():
    ct = image_like(
        np.random.default_rng(0).normal(0, 30, (9, 9, 9)).astype(np.float32),
        sitk.Image(9, 9, 9, sitk.sitkUInt8),
    )
    measured = sitk.Image(9, 9, 9, sitk.sitkUInt8) + 1
    measured[4, 4, 4] = 0
    grid = Grid((33, 1, 1), (0.25, 1, 1), (0, 4, 4), ct.GetDirection())
    mask = voxels(field_of_view_mask(ct, sitk.Transform(), grid, measured)).ravel()
    x = np.arange(33) / 4
    # A cubic spline between two voxels needs these and one more on either side.
    assert (mask == ((x <= 2) | (x >= 6))).all()
    on_grid = voxels(resample_measured(ct, measured, sitk.Transform(), grid)).ravel()
    assert ((on_grid == AIR_HU) == (mask == 0)).all()
