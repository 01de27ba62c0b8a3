"""Thresholds and the custom closing."""

from itertools import product

import numpy as np
import pytest
import SimpleITK as sitk
from pydantic import ValidationError
from scipy import ndimage

from otosynth import classmap
from otosynth.classmap import (
    ClassMap,
    apply_thresholds,
    class_counts,
    class_map_from_microct,
    close_classes,
    closing_radius_um,
    closing_steps,
    histogram,
    otsu_thresholds,
)
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.errors import InputError
from otosynth.tissues import AIR, BONE, SOFT
from otosynth.volumes.measured import find_padding
from otosynth.volumes.volume import Volume

CUBE = (0.1, 0.1, 0.1)


def three_balls(levels: tuple[float, float, float], noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Bone shell round an air ball in soft tissue: true classes and noisy intensities."""
    z, y, x = np.indices((40, 40, 40)) - 19.5
    radius = np.sqrt(z**2 + y**2 + x**2)
    truth = np.select([radius < 8, radius < 14], [AIR, BONE], SOFT).astype(np.uint8)
    intensities = np.array(levels)[truth]
    return truth, intensities + np.random.default_rng(8).normal(0, noise, truth.shape)


def test_what_was_not_measured_gets_the_nearest_class_and_closes_nothing():
    truth, values = three_balls((20, 100, 220), 3)
    values[:, :, :12] = 0
    volume = Volume.of(sitk.GetImageFromArray(values))
    padding = find_padding(volume, hounsfield=False)
    mask = values > 0
    settings = ClassMapSettings(closing_radius_um=300)
    found = class_map_from_microct(values, mask, CUBE, settings, padding).labels
    whole = three_balls((20, 100, 220), 3)[1]
    expected = class_map_from_microct(whole, mask, CUBE, settings).labels
    assert (truth[:, :, 12] == BONE).any(), "the border cuts bone"
    assert (found[:, :, 18:] == expected[:, :, 18:]).all()
    assert (found[:, :, 12] == np.where(truth[:, :, 12] == AIR, AIR, found[:, :, 12])).all()
    assert np.mean(found[:, :, 12:] == truth[:, :, 12:]) > 0.99
    # Without telling, the padding is air, and air closes over the border.
    assert (found[:, :, :12] == found[:, :, 12:13]).all()
    untold = class_map_from_microct(values, mask, CUBE, settings).labels
    assert (untold[:, :, :12] == AIR).all()


@pytest.mark.parametrize(
    ("levels", "noise"), [((0, 100, 220), 8), ((-1000, 50, 1500), 80), ((0.01, 0.2, 0.5), 0.02)]
)
def test_three_classes_are_found_whatever_the_unit(levels, noise):
    truth, microct = three_balls(levels, noise)
    made = class_map_from_microct(microct, np.ones(truth.shape, bool), CUBE, ClassMapSettings())
    assert made.labels.dtype == np.uint8
    assert np.mean(made.labels == truth) > 0.999
    assert levels[0] < made.thresholds[0] < levels[1] < made.thresholds[1] < levels[2]


def faint_soft_tissue() -> tuple[np.ndarray, np.ndarray]:
    """Eight-bit scan as of the mouse ears: air 2, soft 9, bone anywhere from 40 to 200."""
    random = np.random.default_rng(9)
    truth = random.choice([AIR, SOFT, BONE], p=[0.35, 0.55, 0.1], size=(40, 40, 40))
    bone = random.uniform(25, 200, truth.shape)
    levels = np.select([truth == AIR, truth == SOFT], [1, 9], bone)
    grey = np.clip(np.round(levels + random.normal(0, 1, truth.shape)), 0, 255)
    return truth.astype(np.uint8), grey


def agreement(settings: ClassMapSettings) -> float:
    truth, grey = faint_soft_tissue()
    labels = apply_thresholds(grey, otsu_thresholds(grey.ravel(), settings))
    return float(np.mean(labels == truth))


def test_faint_soft_tissue_needs_a_window_or_the_logarithm():
    assert agreement(ClassMapSettings()) < 0.6
    assert agreement(ClassMapSettings(window=(0, 60))) > 0.99
    assert agreement(ClassMapSettings(logarithmic=True)) > 0.99


def test_threshold_in_a_gap_lies_in_its_middle():
    values = np.repeat([10.0, 20.0, 100.0], 50)
    assert otsu_thresholds(values, ClassMapSettings(window=(0, 256))) == pytest.approx((15.5, 60.5))


@pytest.mark.parametrize("logarithmic", [False, True])
def test_logarithm_and_window_give_thresholds_in_the_scans_unit(logarithmic):
    _, microct = three_balls((0, 100, 220), 5)
    settings = ClassMapSettings(logarithmic=logarithmic)
    low, high = otsu_thresholds(microct.ravel(), settings)
    scaled = otsu_thresholds(microct.ravel() * 20 - 1000, settings)
    assert scaled == pytest.approx((low * 20 - 1000, high * 20 - 1000), rel=1e-6)


def test_mask_limits_the_thresholds_but_not_the_map():
    truth, microct = three_balls((0, 100, 220), 5)
    mask = np.ones(truth.shape, bool)
    mask[:3] = False
    microct[:3] = 60_000
    made = class_map_from_microct(microct, mask, CUBE, ClassMapSettings())
    assert made.thresholds[1] < 220
    assert np.all(made.labels[:2] == BONE)


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        ([1.0, 1, 2, 2], {}, r"has 2 grey level\(s\) between 1 and 2"),
        ([5.0, 5, 5], {}, "no range of micro-CT intensities between 5 and 5"),
        ([5.0, 6, 7], {"window": (100, 200)}, r"between 100 and 200 \(found 5 to 7\)"),
        ([], {}, "mask holds no voxel"),
    ],
)
def test_too_few_grey_levels_are_refused(values, settings, message):
    with pytest.raises(InputError, match=message):
        otsu_thresholds(np.array(values), ClassMapSettings(**settings))


def test_thresholds_themselves_belong_to_the_upper_class():
    volume = np.array([[[0.9, 1.0, 1.1, 2.0, 3.0]]])
    assert apply_thresholds(volume, (1.0, 2.0)).ravel().tolist() == [AIR, SOFT, SOFT, BONE, BONE]


def test_closing_only_adds_also_at_the_border():
    labels = np.random.default_rng(10).integers(0, 3, (12, 11, 10)).astype(np.uint8)
    steps = closing_steps(labels, CUBE, radius_um=200)
    for c in (AIR, SOFT, BONE):
        np.testing.assert_array_equal(steps.binary[c], labels == c)
        assert not np.any(steps.binary[c] & ~steps.closed[c])
        padded = np.pad(labels == c, 8)
        full = ndimage.binary_closing(padded, ball_of_radius_2())
        np.testing.assert_array_equal(steps.closed[c], full[8:-8, 8:-8, 8:-8])


def ball_of_radius_2() -> np.ndarray:
    z, y, x = np.indices((5, 5, 5)) - 2
    return z**2 + y**2 + x**2 <= 4


def test_priority_is_soft_then_air_then_bone():
    """A hole of one voxel is closed only by a class that goes before what is in the hole."""
    for around, inside, closes in [
        (SOFT, AIR, True),
        (SOFT, BONE, True),
        (AIR, BONE, True),
        (AIR, SOFT, False),
        (BONE, AIR, False),
        (BONE, SOFT, False),
    ]:
        labels = np.full((7, 7, 7), around, np.uint8)
        labels[3, 3, 3] = inside
        closed = close_classes(labels, CUBE, radius_um=100)
        assert closed[3, 3, 3] == (around if closes else inside)
        labels[3, 3, 3] = around
        closed[3, 3, 3] = around
        np.testing.assert_array_equal(closed, labels)


def test_ball_is_round_in_millimetres():
    """With slices 0.3 mm apart, a ball of 0.1 mm closes gaps within slices only."""
    spacing_mm = (0.3, 0.1, 0.1)
    labels = np.full((9, 9, 9), BONE, np.uint8)
    labels[:, :, 3] = labels[:, :, 5] = SOFT
    within = close_classes(labels, spacing_mm, radius_um=100)
    assert np.all(within[:, 1:-1, 4] == SOFT)
    labels[:] = BONE
    labels[3], labels[5] = SOFT, SOFT
    np.testing.assert_array_equal(close_classes(labels, spacing_mm, radius_um=100), labels)
    assert np.all(close_classes(labels, spacing_mm, radius_um=300)[4, 3:6, 3:6] == SOFT)


def test_radius_below_one_voxel_changes_nothing():
    labels = np.random.default_rng(11).integers(0, 3, (6, 6, 6)).astype(np.uint8)
    np.testing.assert_array_equal(close_classes(labels, CUBE, radius_um=99), labels)


def test_default_radius_is_the_larger_of_a_thesis_voxel_and_a_voxel():
    settings = ClassMapSettings()
    assert closing_radius_um((0.01, 0.01, 0.01), settings) == 37.6
    assert closing_radius_um((0.12, 0.14, 0.12), settings) == pytest.approx(140)
    assert closing_radius_um(CUBE, ClassMapSettings(closing_radius_um=50)) == 50


def plain_class_map(
    microct: np.ndarray, mask: np.ndarray, spacing_mm: tuple[float, ...], settings: ClassMapSettings
) -> ClassMap:
    """Do all at once on whole volumes, with scipy's closing and a ball by its definition."""
    inside = microct[mask > 0]
    thresholds = otsu_thresholds(inside, settings)
    np.testing.assert_array_equal(
        histogram(microct, settings, mask).counts,
        np.histogram(inside, histogram(inside, settings).edges)[0],
    )
    labels = np.digitize(microct.astype(float), thresholds)
    radius_mm = closing_radius_um(spacing_mm, settings) / 1000
    offsets = np.indices((13, 13, 13)) - 6
    distance_mm = np.sqrt(sum((n * mm) ** 2 for n, mm in zip(offsets, spacing_mm, strict=True)))
    result = np.empty(microct.shape, np.uint8)
    for c in (BONE, AIR, SOFT):
        padded = np.pad(labels == c, 6)
        closed = ndimage.binary_closing(padded, distance_mm <= radius_mm * (1 + 1e-6))
        result[closed[6:-6, 6:-6, 6:-6]] = c
    return ClassMap(result, thresholds)


@pytest.mark.parametrize(
    ("dtype", "logarithmic", "radius_um"),
    list(product((np.float32, np.float64, np.uint8), (False, True), (None, 90.0, 250.0))),
)
def test_slab_by_slab_is_the_plain_textbook_version(monkeypatch, dtype, logarithmic, radius_um):
    monkeypatch.setattr(classmap, "SLAB_VOXELS", 500)
    random = np.random.default_rng(12)
    microct = random.choice([40, 90, 200], (13, 11, 17)) + random.normal(0, 12, (13, 11, 17))
    microct = microct.clip(0, 255).astype(dtype)[:, :, ::-1]
    mask = (random.random(microct.shape) < 0.8).astype(np.uint8)
    mask[:4] = 0
    settings = ClassMapSettings(logarithmic=logarithmic, closing_radius_um=radius_um)
    spacing_mm = (0.1, 0.05, 0.04)
    made = class_map_from_microct(microct, mask, spacing_mm, settings)
    plain = plain_class_map(microct, mask, spacing_mm, settings)
    assert made.thresholds == plain.thresholds
    np.testing.assert_array_equal(made.labels, plain.labels)
    before = apply_thresholds(microct, made.thresholds)
    radius_um = closing_radius_um(spacing_mm, settings)
    np.testing.assert_array_equal(close_classes(before, spacing_mm, radius_um), plain.labels)
    np.testing.assert_array_equal(
        class_counts(made.labels, mask), np.bincount(made.labels[mask > 0], minlength=3)
    )


@pytest.mark.parametrize(
    "wrong", [{"window": (40, 0)}, {"bins": 2}, {"closing_radius_um": 0}, {"log": True}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ClassMapSettings(**wrong)
