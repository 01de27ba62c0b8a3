"""Thresholds on a CT: known ones come back, learnt ones are the best, deconvolution sharpens."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.classmap import apply_thresholds
from otosynth.errors import InputError
from otosynth.metrics import dice
from otosynth.registration.preparation import smooth
from otosynth.volumes.measured import MarkedVolume, find_padding
from otosynth.volumes.volume import Volume
from otosynth.yardsticks import (
    Learned,
    best_smoothness,
    blur,
    count_tissues,
    ct_otsu,
    deconvolve,
    learn_thresholds,
    on_grid,
    seen_ct,
    slabs_on_grid,
)

WIDTH_HU = 10.0
POINT_SPREAD_MM = 0.5


def volume_of(array, spacing_mm=0.1):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing_mm] * 3)
    image.SetOrigin((4, -7, 11))
    return Volume.of(image)


def make_ct(seed, shape=(6, 8, 10), noise_hu=120.0):
    """A CT of three tissues whose HU overlap, its classes, and a mask with a border outside."""
    random = np.random.default_rng(seed)
    classmap = random.integers(0, 3, shape).astype(np.uint8)
    ct = np.choose(classmap, [-900.0, 30.0, 700.0]) + random.normal(0, 3 * noise_hu, shape)
    mask = np.ones(shape, np.uint8)
    mask[0] = 0
    return ct.astype(np.float32), classmap, mask


def counted(ears, width_hu=WIDTH_HU):
    # In two slabs, as a large CT comes.
    return [
        count_tissues(
            iter([(slice(0, 2), ct[:2]), (slice(2, len(ct)), ct[2:])]), classmap, mask, width_hu
        )
        for ct, classmap, mask in ears
    ]


def score_of(ears, thresholds):
    """Mean over the classes of the mean Dice over the ears, by the study's own Dice."""
    table = [
        list(dice(classmap, apply_thresholds(ct, thresholds), mask > 0).values())
        for ct, classmap, mask in ears
    ]
    return np.mean(np.mean(table, axis=0))


def test_counts_are_of_voxels_inside_the_mask():
    ct, classmap, mask = make_ct(1)
    [ear] = counted([(ct, classmap, mask)])
    assert ear.counts.sum() == (mask > 0).sum()
    for number in range(3):
        assert ear.counts[number].sum() == ((classmap == number) & (mask > 0)).sum()
    values = ct[(mask > 0) & (classmap == 2)]
    k = ear.bins[ear.counts[2].argmax()]
    inside = (values >= k * WIDTH_HU) & (values < (k + 1) * WIDTH_HU)
    assert ear.counts[2].max() == inside.sum()


@pytest.mark.parametrize("thresholds", [(-340.0, 410.0), (-3200.0, 12000.0), (0.0, 10.0)])
def test_known_thresholds_come_exactly_back(thresholds):
    random = np.random.default_rng(2)
    first, second = thresholds
    # Voxels on both sides of each threshold, one of them just on it.
    ct = random.uniform(first - 800, second + 800, (5, 9, 11)).astype(np.float32)
    ct.flat[:4] = [first, second, np.nextafter(first, -np.inf, dtype=np.float32), second - 1e-3]
    ct[1, 0, :8] = [first - 1, first + 1, second - 1, second + 1, -9000, 20000, first + 4, second]
    classmap = apply_thresholds(ct, thresholds)
    mask = np.ones(ct.shape, np.uint8)
    learned = learn_thresholds(counted([(ct, classmap, mask)]), WIDTH_HU)
    assert learned.mean_dice == 1
    assert np.array_equal(apply_thresholds(ct, learned.thresholds_hu), classmap)
    assert learned.thresholds_hu == thresholds


@pytest.mark.parametrize("seed", range(4))
def test_learnt_thresholds_are_the_best_of_all_pairs(seed):
    ears = [make_ct(10 * seed + k, noise_hu=150) for k in range(3)]
    learned = learn_thresholds(counted(ears, 100.0), 100.0)
    low = min(np.floor(ct[mask > 0].min() / 100) * 100 for ct, _, mask in ears)
    high = max(np.ceil(ct[mask > 0].max() / 100) * 100 for ct, _, mask in ears)
    pairs = list(combinations_with_replacement(np.arange(low, high + 1, 100), 2))
    scores = [score_of(ears, pair) for pair in pairs]
    assert learned.mean_dice == pytest.approx(max(scores))
    assert score_of(ears, learned.thresholds_hu) == pytest.approx(max(scores))


def test_of_equal_thresholds_the_lowest_are_taken():
    ct = np.array([-1000.0, 100.0, 900.0], np.float32).reshape(1, 1, 3)
    classmap = np.array([0, 1, 2], np.uint8).reshape(ct.shape)
    learned = learn_thresholds(counted([(ct, classmap, np.ones_like(classmap))]), WIDTH_HU)
    assert learned.thresholds_hu == (-990, 110)


def test_a_class_that_no_ear_has_does_not_count():
    _, classmap, mask = make_ct(3, noise_hu=1.0)
    two = np.minimum(classmap, 1)
    flat = np.where(two == 0, np.float32(-900), np.float32(30))
    learned = learn_thresholds(counted([(flat, two, mask)]), WIDTH_HU)
    assert learned.mean_dice == 1
    assert np.array_equal(apply_thresholds(flat, learned.thresholds_hu)[mask > 0], two[mask > 0])


def test_without_a_voxel_there_is_no_threshold():
    ct, classmap, mask = make_ct(4)
    with pytest.raises(InputError, match="no training ear has a voxel inside its mask"):
        learn_thresholds(counted([(ct, classmap, 0 * mask)]), WIDTH_HU)


def test_otsu_parts_three_tissues_on_the_ct_inside_the_mask():
    ct, _, mask = make_ct(5, shape=(20, 20, 20), noise_hu=15.0)
    first, second = ct_otsu(ct, mask)
    assert -800 < first < -50
    assert 120 < second < 600
    spoiled = ct.copy()
    spoiled[mask == 0] = 30000
    assert ct_otsu(spoiled, mask) == (first, second)


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [0, 0, 900, 900]])
def test_a_ct_of_fewer_than_three_grey_levels_is_refused(values):
    ct = np.array(values, np.float32).reshape(1, 2, 2)
    with pytest.raises(InputError, match="the CT has fewer than three grey levels"):
        ct_otsu(ct, np.ones_like(ct))


@pytest.fixture
def sphere():
    """A sphere of bone in soft tissue with a hole of air (HU), and its blurred, noisy CT."""
    z, y, x = np.indices((44, 48, 40)) * 0.1
    radius = np.sqrt((z - 2.2) ** 2 + (y - 2.4) ** 2 + (x - 2) ** 2)
    truth = np.where(radius < 0.5, -1000, np.where(radius < 1.2, 1500, 50)).astype(np.float32)
    noise = np.random.default_rng(6).normal(0, 20, truth.shape)
    ct = sitk.GetArrayFromImage(smooth(volume_of(truth).image, POINT_SPREAD_MM)) + noise
    return truth, ct.astype(np.float32)


def deconvolved(ct, mask, smoothness, folder, spacing_mm=0.1):
    volume = volume_of(ct, spacing_mm)
    seen = seen_ct(volume, mask, POINT_SPREAD_MM)
    return on_grid(deconvolve(seen, POINT_SPREAD_MM, smoothness), volume.grid, folder)


def blurred(array, folder, spacing_mm=0.1):
    volume = volume_of(array, spacing_mm)
    return on_grid(blur(volume, POINT_SPREAD_MM), volume.grid, folder)


def rms(a, b):
    return float(np.sqrt(np.mean((a.astype(np.float64) - b) ** 2)))


@pytest.mark.parametrize("smoothness", [0.0001, 0.001])
def test_deconvolution_comes_nearer_to_the_truth(sphere, tmp_path, smoothness):
    truth, ct = sphere
    mask = np.ones(ct.shape, np.uint8)
    sharp = deconvolved(ct, mask, smoothness, tmp_path)
    assert sharp.shape == ct.shape
    assert sharp.dtype == np.float32
    assert rms(sharp, truth) < 0.85 * rms(ct, truth)
    # Nothing is brighter or darker as a whole, and nothing moved.
    assert sharp.mean() == pytest.approx(ct.mean(), abs=5)
    again = deconvolved(ct, mask, smoothness, tmp_path)
    assert np.array_equal(sharp, again)


def test_the_border_of_the_field_of_view_does_not_ring(sphere, tmp_path):
    _, ct = sphere
    mask = np.ones(ct.shape, np.uint8)
    whole = deconvolved(ct, mask, 0.001, tmp_path)
    mask[:, :, 33:] = 0
    cut = np.where(mask > 0, ct, np.float32(-1024))
    sharp = deconvolved(cut, mask, 0.001, tmp_path)
    near_border = (slice(None), slice(None), slice(28, 33))
    assert rms(sharp[near_border], whole[near_border]) < 30
    # What lies outside is not even read.
    other = np.where(mask > 0, ct, np.float32(3000))
    assert np.array_equal(deconvolved(other, mask, 0.001, tmp_path), sharp)


def test_a_finer_grid_gives_the_same_sharpness(sphere, tmp_path):
    truth, ct = sphere
    fine = ct.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    ones = np.ones(fine.shape, np.uint8)
    sharp = deconvolved(ct, ones[::2, ::2, ::2], 0.001, tmp_path)
    sharp_fine = deconvolved(fine, ones, 0.001, tmp_path, 0.05)
    means = sharp_fine.reshape(44, 2, 48, 2, 40, 2).mean(axis=(1, 3, 5))
    assert rms(means, sharp) < 0.15 * rms(ct, truth)


def test_a_ct_outside_its_mask_cannot_be_deconvolved(sphere):
    _, ct = sphere
    with pytest.raises(InputError, match="no voxel of the CT is inside the mask"):
        seen_ct(volume_of(ct), np.zeros(ct.shape, np.uint8), POINT_SPREAD_MM)


def test_padding_is_not_blurred_into_what_was_measured(sphere, tmp_path):
    truth, _ = sphere
    noisy = (truth + np.random.default_rng(2).normal(0, 20, truth.shape)).astype(np.float32)
    padded = noisy.copy()
    padded[:, :, :6] = -5000
    volume = volume_of(padded)
    padding = find_padding(volume, hounsfield=True)
    marked = MarkedVolume(volume.voxels, volume.grid, volume.image, padding)
    seen = on_grid(blur(marked, POINT_SPREAD_MM), volume.grid, tmp_path)
    plain = blurred(noisy, tmp_path)
    # Soft tissue is all that lies near the border.
    assert np.abs(seen - plain)[:, :, 6:].max() < 60
    assert np.abs(blurred(padded, tmp_path) - plain)[:, :, 6:].max() > 1000


def test_a_blurred_volume_looks_as_a_scanner_of_that_point_spread_saw_it(sphere, tmp_path):
    truth, ct = sphere
    seen = blurred(truth, tmp_path)
    # What is left is the noise.
    assert rms(seen, ct) == pytest.approx(20, abs=1)
    fine = truth.repeat(3, 0).repeat(3, 1).repeat(3, 2)
    coarse = blurred(fine, tmp_path, 0.1 / 3)[1::3, 1::3, 1::3]
    assert rms(coarse, seen) < 0.1 * rms(seen, truth)


def test_slab_by_slab_is_the_same_as_the_whole(sphere, monkeypatch):
    truth, _ = sphere
    volume = volume_of(truth)
    image = blur(volume_of(truth, 0.1), 2 * POINT_SPREAD_MM)
    [(_, whole)] = slabs_on_grid(image, volume.grid)
    monkeypatch.setattr("otosynth.volumes.slabs.SLAB_VOXELS", 10 * truth[0].size)
    slabs = list(slabs_on_grid(image, volume.grid))
    assert [len(slab) for _, slab in slabs] == [10, 10, 10, 10, 4]
    np.testing.assert_allclose(np.concatenate([slab for _, slab in slabs]), whole, atol=0.1)


def test_the_training_ears_choose_the_smoothness():
    learned = [Learned((0, 1), mean) for mean in (0.7, 0.9, 0.9, 0.8)]
    assert best_smoothness(learned) == 1
