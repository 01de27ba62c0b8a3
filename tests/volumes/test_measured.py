"""What of a scan was measured: padding is found by its value and its shape, clipped air is not."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.measured import (
    MarkedVolume,
    continued,
    find_padding,
    in_words,
    measured_part,
    share_outside,
)
from otosynth.volumes.volume import Volume

SHAPE = (20, 40, 44)


def volume_of(array, spacing_mm=(0.3, 0.3, 0.3)):
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    image.SetSpacing(spacing_mm)
    return Volume.of(image)


def noisy_ct(air_hu=-1000.0):
    """Whole HU: a ball of soft tissue in air, noise of 30 HU."""
    z, y, x = np.indices(SHAPE)
    ball = (z - 9) ** 2 + (y - 19) ** 2 + (x - 21) ** 2 < 9**2
    noise = np.random.default_rng(1).normal(0, 30, SHAPE)
    return np.round(np.where(ball, 40.0, air_hu) + noise)


def outside_circle(radius=18.0, axis=0, middle=(19.5, 21.5)):
    """Voxels outside a cylinder along an axis."""
    first, second = (np.indices(SHAPE)[a] for a in range(3) if a != axis)
    return np.hypot(first - middle[0], second - middle[1]) > radius


def found(array, *, hounsfield=True, declared=()):
    """Return where padding was found; None: nowhere."""
    volume = volume_of(array)
    padding = find_padding(volume, hounsfield=hounsfield, declared=declared)
    return None if padding is None else padding.of(volume.voxels, slice(0, len(volume.voxels)))


@pytest.mark.parametrize("value", [-1500.0, -2000.0, -3024.0])
@pytest.mark.parametrize("radius", [14.0, 18.0, 26.0])
def test_what_no_ct_measures_is_padding_of_any_shape(value, radius):
    ct, outside = noisy_ct(), outside_circle(radius)
    ct[outside] = value
    assert (found(ct) == outside).all()
    # A box cut askew, as after a tilt of the gantry was corrected.
    ct, (z, y, x) = noisy_ct(), np.indices(SHAPE)
    outside = (y + 0.7 * z < 6) | (x + 0.3 * y > 48)
    ct[outside] = value
    assert (found(ct) == outside).all()


def test_two_values_of_padding_and_whole_slices_are_all_found():
    ct, outside = noisy_ct(), outside_circle()
    ct[outside], ct[:3] = -3024.0, -2000.0
    outside[:3] = True
    assert (found(ct) == outside).all()


def test_a_scan_without_padding_has_none():
    assert found(noisy_ct()) is None
    assert found(noisy_ct(), declared=[(-2000.0, -2000.0)]) is None
    assert found(np.random.default_rng(0).integers(0, 255, SHAPE), hounsfield=False) is None


@pytest.mark.parametrize("lowest", [-1024.0, -1000.0])
def test_clipped_air_round_an_object_was_measured(lowest):
    # Half of the noise in air lies below, so half of the air is of one value.
    half = np.maximum(noisy_ct(lowest), lowest)
    assert found(half) is None
    # Air that lies below as a whole is of one value everywhere.
    whole = np.maximum(noisy_ct(lowest - 200), lowest)
    assert np.count_nonzero(whole == lowest) > 0.5 * whole.size
    assert found(whole) is None


def test_a_head_that_touches_the_border_in_clipped_air_was_measured():
    z, y, x = np.indices(SHAPE)
    head = (y - 40) ** 2 + (x - 20 - 0.4 * z) ** 2 < 27**2
    noise = np.random.default_rng(1).normal(0, 30, SHAPE)
    ct = np.round(np.maximum(np.where(head, 40.0, -1200.0) + noise, -1024.0))
    assert found(ct) is None


def test_slices_of_clipped_air_beyond_an_object_were_measured():
    microct = np.maximum(np.random.default_rng(2).normal(-50, 10, SHAPE), 0)
    microct[6:] = np.random.default_rng(3).integers(30, 200, (14, *SHAPE[1:]))
    microct[6:, :, :20] = 0
    microct[10:, :, :30] = np.random.default_rng(3).integers(30, 200, (10, 40, 30))
    assert (microct[:6] == 0).all()
    assert found(microct, hounsfield=False) is None


def test_a_calculated_scan_without_noise_was_measured():
    ct = np.round(noisy_ct(), -3)
    assert set(np.unique(ct)) == {-1000.0, 0.0}
    assert found(ct) is None
    assert found(np.where(outside_circle(), -1024.0, 0.0)) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_lowest_value_is_padding_outside_the_same_circle_of_every_slice(axis):
    middle = [(n - 1) / 2 for a, n in enumerate(SHAPE) if a != axis]
    outside = outside_circle(min(middle) - 0.5, axis, middle)
    microct = np.random.default_rng(2).integers(30, 200, SHAPE).astype(float)
    microct[outside] = 0.0
    assert (found(microct, hounsfield=False) == outside).all()
    # Nor is it another shape that is the same in every slice.
    _, y, x = np.indices(SHAPE)
    crossing = (np.abs(y - 19) > 12) & (np.abs(x - 21) > 12)
    microct = np.where(crossing, 0.0, np.random.default_rng(2).integers(30, 200, SHAPE))
    assert found(microct, hounsfield=False) is None


def test_air_that_is_clipped_within_the_circle_was_measured():
    values = np.maximum(np.random.default_rng(3).normal(0, 20, SHAPE), 0)
    z, y, x = np.indices(SHAPE)
    values[(z - 9) ** 2 + (y - 19) ** 2 + (x - 21) ** 2 < 9**2] += 90
    outside = outside_circle()
    values[outside] = 0.0
    assert 0.3 < np.mean(values[~outside] == 0) < 0.5
    assert (found(values, hounsfield=False) == outside).all()


def test_the_lowest_value_in_whole_planes_is_padding():
    microct = np.random.default_rng(2).integers(30, 200, SHAPE).astype(float)
    microct[:4], microct[:, :, -3:] = 0.0, 0.0
    outside = microct == 0
    assert (found(microct, hounsfield=False) == outside).all()


def test_a_value_within_the_range_is_padding_of_any_shape():
    ct, (z, y, x) = noisy_ct(), np.indices(SHAPE)
    outside = y + x + z < 30
    ct[outside] = 0.0
    assert (found(ct) == outside).all()


def test_what_a_file_declares_is_padding_where_corners_have_it():
    ct, (_, y, x) = np.maximum(noisy_ct(), -1000.0), np.indices(SHAPE)
    outside = x < 6
    ct[outside] = -1000.0
    declared = found(ct, declared=[(-1000.0, -1000.0)])
    # Noise that was clipped to the same value stays measured, but for what touches the padding.
    assert declared[outside].all()
    assert declared[~outside].mean() < 0.02
    bone = np.where((y > 10) & (y < 14), 3071.0, noisy_ct())
    bone[:, :, :5] = 3071.0
    assert (found(bone, declared=[(3071.0, 3071.0)])[:, 20:] == (bone[:, 20:] == 3071.0)).all()


def test_a_declared_range_is_padding_though_it_has_noise():
    microct = np.random.default_rng(2).integers(300, 900, SHAPE).astype(float)
    outside = np.indices(SHAPE)[2] < 6
    microct[outside] = np.random.default_rng(3).integers(2, 9, np.count_nonzero(outside))
    assert found(microct, hounsfield=False) is None
    assert (found(microct, hounsfield=False, declared=[(0.0, 10.0)]) == outside).all()
    volume = volume_of(microct)
    padding = find_padding(volume, hounsfield=False, declared=[(0.0, 10.0), (-9.0, -9.0)])
    assert in_words(padding) == "0 to 10"


def test_each_slice_may_have_a_declared_value_of_its_own():
    ct, outside = noisy_ct(), outside_circle()
    values = np.linspace(-500.25, -400.25, SHAPE[0])
    ct = np.where(outside, values[:, None, None], ct)
    declared = [(float(np.float32(value)),) * 2 for value in values]
    assert (found(ct, declared=declared) == outside).all()


def test_a_scan_of_nothing_but_padding_is_refused():
    with pytest.raises(InputError, match="the scan: all voxels are padding"):
        find_padding(volume_of(np.full(SHAPE, -2000.0)), hounsfield=True)


def test_slabs_tell_the_same_as_the_whole():
    ct, outside = noisy_ct(), outside_circle()
    ct[outside] = -3024.0
    volume = volume_of(ct)
    padding = find_padding(volume, hounsfield=True)
    for rows in (slice(0, 7), slice(7, 20)):
        assert (padding.of(volume.voxels[rows], rows) == outside[rows]).all()
    marked = MarkedVolume(volume.voxels, volume.grid, volume.image, padding)
    [(_, slab)] = marked.slabs()
    assert (np.isnan(slab) == outside).all()
    assert (slab[~outside] == volume.voxels[~outside]).all()


def test_a_ct_without_padding_stays_the_very_image():
    image = volume_of(noisy_ct()).image
    part, mask = measured_part(image)
    assert part is image
    assert mask is None


def test_padding_is_replaced_by_the_nearest_measured_value_of_its_slice():
    ct, outside = noisy_ct(), outside_circle()
    ct[outside], ct[:2] = -3024.0, -3024.0
    outside[:2] = True
    part, mask = measured_part(volume_of(ct).image)
    values = sitk.GetArrayFromImage(part)
    assert values.min() > -1200
    assert (values[~outside] == ct[~outside]).all()
    assert (values[0] == values[2]).all()
    assert share_outside(mask) == pytest.approx(outside.mean())
    row = continued(np.arange(6.0).reshape(1, 1, 6), np.array([[[1, 1, 0, 0, 0, 1]]], bool))
    assert row.ravel().tolist() == [2, 2, 2, 3, 4, 4]
