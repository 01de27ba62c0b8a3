"""Scores against hand-computed cases and against the libraries themselves."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy.ndimage import distance_transform_edt
from skimage.metrics import structural_similarity

from otosynth.metrics import (
    dice,
    local_region,
    mean_absolute_error,
    near_class_borders,
    perceptual_error,
    pixel_accuracy,
    psnr,
    score_class_map,
    score_cochlea,
    score_microct,
    score_segmentation_of_synthetic,
    ssim,
    surface_distances,
)
from otosynth.tissues import AIR, BONE, SOFT

ALL = np.ones((20, 21, 22), bool)
SPACING_MM = (0.3, 0.2, 0.1)


def box(first: int, last: int, inside: int = BONE) -> np.ndarray:
    """Soft tissue with a block of another class, its z index from first to last."""
    labels = np.full(ALL.shape, SOFT, np.uint8)
    labels[first : last + 1, 5:15, 5:15] = inside
    return labels


def test_dice_counts_overlap_inside_the_mask():
    a = np.array([[[AIR, AIR, SOFT, BONE, BONE]]])
    b = np.array([[[AIR, SOFT, SOFT, BONE, AIR]]])
    mask = np.array([[[True, True, True, True, False]]])
    assert dice(a, b, mask) == pytest.approx({"air": 2 / 3, "soft": 2 / 3, "bone": 1})
    assert dice(a, b, np.ones_like(mask))["bone"] == pytest.approx(2 / 3)


def test_dice_of_an_absent_class_is_undefined_and_of_a_missed_one_zero():
    scores = dice(box(5, 9), box(5, 9, SOFT), ALL)
    assert math.isnan(scores["air"])
    assert scores["bone"] == 0


def test_dice_at_the_cochlea_by_hand():
    truth = np.array([[[SOFT, SOFT, BONE, BONE, BONE, AIR, SOFT, SOFT]]])
    predicted = np.array([[[SOFT, BONE, BONE, BONE, SOFT, SOFT, BONE, AIR]]])
    mask = np.array([[[True, True, True, True, True, True, False, True]]])
    region = np.array([[[True, True, True, True, True, False, True, False]]])
    scores = scores_by_name(score_cochlea(truth, predicted, mask, region))
    # Five voxels are in both: soft tissue 2 and 2 with 1 in common, bone 3 and 3 with 2.
    assert scores == pytest.approx(
        {
            ("soft", "cochlear_dice"): 1 / 2,
            ("bone", "cochlear_dice"): 2 / 3,
            ("", "cochlear_mean_dice"): (1 / 2 + 2 / 3) / 2,
        }
    )


def test_without_a_region_there_is_no_dice_at_the_cochlea():
    scores = score_cochlea(box(5, 9), box(6, 9), ALL, np.zeros_like(ALL))
    assert len(scores) == 3
    assert scores["value"].isna().all()


def test_perceptual_error_divides_by_the_floored_truth():
    truth = np.array([[[0.0, 50.0, 100.0, 200.0]]])
    synthetic = np.array([[[25.5, 25.0, 100.0, 900.0]]])
    mask = np.array([[[True, True, True, False]]])
    # Scaled by 255: |0 - 0.1| over the floor 1/255, |50 - 25| / 50, and 0.
    expected = (0.1 * 255 + 0.5 + 0) / 3
    assert perceptual_error(truth, synthetic, (0, 255), mask) == pytest.approx(expected, rel=1e-5)


def test_values_outside_the_window_are_clipped():
    truth, synthetic = np.array([[[300.0]]]), np.array([[[900.0]]])
    mask = np.ones((1, 1, 1), bool)
    assert perceptual_error(truth, synthetic, (0, 255), mask) == 0
    assert mean_absolute_error(truth, synthetic, mask) == 600


def test_psnr_by_hand():
    truth = np.zeros((4, 4, 4))
    synthetic = np.full((4, 4, 4), 10.0)
    mask = np.ones(truth.shape, bool)
    assert psnr(truth, synthetic, (0, 100), mask) == pytest.approx(20)
    assert psnr(truth, truth, (0, 100), mask) == math.inf


def test_ssim_is_the_librarys_and_blind_outside_the_mask():
    random = np.random.default_rng(12)
    truth = random.random(ALL.shape)
    synthetic = truth + random.normal(0, 0.1, ALL.shape)
    clipped = np.clip(synthetic, 0, 1)
    _, similarity = structural_similarity(truth, clipped, data_range=1, full=True)
    assert ssim(truth, synthetic, (0, 1), ALL) == pytest.approx(similarity.mean(), abs=1e-5)
    assert ssim(truth, truth, (0, 1), ALL) == pytest.approx(1)
    mask = ALL.copy()
    mask[:, :, 15:] = False
    score = ssim(truth, synthetic, (0, 1), mask)
    synthetic[:, :, 15:] = -1
    assert ssim(truth, synthetic, (0, 1), mask) == score


def scores_by_name(table) -> dict[tuple[str, str], float]:
    return {(row["class"], row["metric"]): row["value"] for _, row in table.iterrows()}


def test_surface_distance_by_hand():
    """A slab across the whole volume, thicker by 2 slices of 0.3 mm at one of its faces."""
    truth, predicted = np.full(ALL.shape, SOFT, np.uint8), np.full(ALL.shape, SOFT, np.uint8)
    truth[5:10], predicted[5:12] = BONE, BONE
    scores = scores_by_name(score_class_map(truth, predicted, ALL, SPACING_MM))
    assert scores["bone", "assd_mm"] == pytest.approx(0.3)
    assert scores["bone", "hd95_mm"] == pytest.approx(0.6)
    assert scores["soft", "assd_mm"] == pytest.approx(0.3)
    assert scores["bone", "dice"] == pytest.approx(10 / 12)
    assert math.isnan(scores["air", "assd_mm"])
    assert math.isnan(scores["air", "hd95_mm"])


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
def test_surfaces_agree_with_the_librarys_metrics():
    """Objects away from every border, where the library's definition is the same."""
    random = np.random.default_rng(13)
    labels = []
    for _ in range(2):
        one = np.full(ALL.shape, SOFT, np.uint8)
        one[4:16, 4:17, 4:18] = random.choice([AIR, BONE, SOFT], size=(12, 13, 14))
        labels.append(one)
    scores = scores_by_name(score_class_map(*labels, ALL, SPACING_MM))
    for name, number in (("air", AIR), ("bone", BONE)):
        truth, predicted = (torch.from_numpy(one == number)[None, None] for one in labels)
        assd = compute_average_surface_distance(
            predicted, truth, include_background=True, symmetric=True, spacing=SPACING_MM
        )
        hd95 = compute_hausdorff_distance(
            predicted, truth, include_background=True, percentile=95, spacing=SPACING_MM
        )
        assert scores[name, "assd_mm"] == pytest.approx(assd.item(), rel=1e-6)
        assert scores[name, "hd95_mm"] == pytest.approx(hd95.item(), rel=1e-6)


def test_border_of_the_mask_is_no_surface():
    truth, predicted = box(5, 12), box(5, 12)
    mask = ALL.copy()
    mask[9:] = False
    distances = surface_distances(truth, predicted, mask, SPACING_MM)
    whole = surface_distances(truth, predicted, ALL, SPACING_MM)
    # Of the block's 8 slices 4 are inside; the rim of a 10 x 10 slice is 36 voxels, and
    # its first slice is a face of 100. The cut at the mask adds nothing.
    assert distances["bone"][0].size == 100 + 3 * 36
    assert whole["bone"][0].size == 2 * 100 + 6 * 36


def test_what_lies_outside_the_mask_does_not_count():
    truth, predicted = box(5, 12), box(5, 12)
    mask = ALL.copy()
    mask[:, :, 18:] = False
    predicted[:, :, 18:] = AIR
    for _, row in score_class_map(truth, predicted, mask, SPACING_MM).iterrows():
        perfect = 1.0 if row["metric"] == "dice" else 0.0
        assert math.isnan(row["value"]) if row["class"] == "air" else row["value"] == perfect


def test_empty_mask_gives_no_numbers():
    nothing = np.zeros(ALL.shape, bool)
    scores = score_class_map(box(5, 9), box(5, 9), nothing, SPACING_MM)
    assert scores["value"].isna().all()


def test_tables_are_long():
    labels = score_class_map(box(5, 9), box(6, 9), ALL, SPACING_MM)
    assert list(labels.columns) == ["class", "metric", "value"]
    assert sorted(set(labels["metric"])) == ["assd_mm", "dice", "hd95_mm"]
    assert len(labels) == 9
    grey = np.random.default_rng(14).random(ALL.shape)
    microct = score_microct(grey, grey * 0.9, box(5, 9), ALL, (0, 1), SPACING_MM)
    assert list(microct.columns) == ["class", "metric", "value"]
    assert list(microct["metric"]) == [
        "perceptual_error", "psnr_db", "ssim", "mean_absolute_error", "psnr_local_db",
        "ssim_local", *["pixel_accuracy"] * 3,
    ]  # fmt: skip
    assert list(microct["class"]) == [""] * 6 + ["air", "soft", "bone"]
    assert microct["value"].iloc[0] == pytest.approx(0.1, abs=0.001)


def test_pixel_accuracy_counts_voxels_within_16_grey_levels():
    truth = np.array([[[100, 100, 100, 100, 300, 0]]], np.int16)
    synthetic = np.array([[[116, 117, 84, 83, 245, 99]]], np.float32)
    classmap = np.array([[[SOFT, SOFT, SOFT, BONE, BONE, AIR]]])
    mask = np.array([[[True, True, True, True, True, False]]])
    scores = pixel_accuracy(truth, synthetic, classmap, mask, (0, 255))
    # 300 is beyond the window's end, so that 245 is 10 levels away.
    assert scores == pytest.approx({"air": math.nan, "soft": 2 / 3, "bone": 1 / 2}, nan_ok=True)
    # A window ten times as wide: 16 of its grey levels are 160.
    assert pixel_accuracy(truth, synthetic, classmap, mask, (0, 2550))["bone"] == 1


def test_local_region_is_half_a_millimetre_round_the_soft_tissue_on_any_grid():
    classmap = np.full(ALL.shape, BONE, np.uint8)
    classmap[10, 10, 10] = SOFT
    z, y, x = np.indices(ALL.shape)
    offsets_mm = [(index - 10) * step for index, step in zip((z, y, x), SPACING_MM, strict=True)]
    expected = sum(offset**2 for offset in offsets_mm) <= 0.25 + 1e-9
    assert np.array_equal(local_region(classmap, ALL, SPACING_MM), expected)
    mask = ALL.copy()
    mask[:, :, 12:] = False
    assert np.array_equal(local_region(classmap, mask, SPACING_MM), expected & mask)
    # Soft tissue outside the mask is as unknown as all else there.
    mask[:, :, 10:] = False
    assert not local_region(classmap, mask, SPACING_MM).any()


def test_local_region_forgives_the_single_precision_of_a_header():
    classmap = np.full(ALL.shape, BONE, np.uint8)
    classmap[10, 10, 10] = SOFT
    stored = float(np.float32(0.1))
    assert 5 * stored > 0.5
    region = local_region(classmap, ALL, (stored, stored, stored))
    assert np.array_equal(region, local_region(classmap, ALL, (0.1, 0.1, 0.1)))
    assert region[10, 10, 15]
    assert not region[10, 10, 16]


@pytest.mark.parametrize("slices", [1, 3, 7, 20])
def test_local_region_does_not_depend_on_the_slabs(monkeypatch, slices):
    random = np.random.default_rng(15)
    classmap = np.where(random.random(ALL.shape) < 0.002, SOFT, BONE).astype(np.uint8)
    distance = distance_transform_edt(classmap != SOFT, sampling=SPACING_MM)
    monkeypatch.setattr("otosynth.distances.SLAB_SLICES", slices)
    assert np.array_equal(local_region(classmap, ALL, SPACING_MM), distance <= 0.5 + 1e-9)


def test_local_scores_look_round_the_soft_tissue_only():
    random = np.random.default_rng(16)
    truth = random.random(ALL.shape)
    classmap = np.full(ALL.shape, BONE, np.uint8)
    classmap[2:6] = SOFT
    # 0.5 mm at 0.3 mm a slice is one slice, and windows of SSIM reach three more.
    synthetic = truth.copy()
    synthetic[15:] = 0
    scores = scores_by_name(score_microct(truth, synthetic, classmap, ALL, (0, 1), SPACING_MM))
    assert scores["", "psnr_local_db"] == math.inf
    assert scores["", "ssim_local"] == pytest.approx(1)
    assert scores["", "ssim"] < 0.9
    synthetic = truth.copy()
    synthetic[:9] = 0
    scores = scores_by_name(score_microct(truth, synthetic, classmap, ALL, (0, 1), SPACING_MM))
    region = local_region(classmap, ALL, SPACING_MM)
    assert scores["", "psnr_local_db"] == psnr(truth, synthetic, (0, 1), region)
    assert scores["", "psnr_local_db"] < scores["", "psnr_db"]
    assert scores["", "ssim_local"] < scores["", "ssim"]


def test_local_scores_are_those_of_the_whole_where_soft_tissue_is_everywhere():
    random = np.random.default_rng(17)
    truth = random.random(ALL.shape)
    synthetic = truth + random.normal(0, 0.1, ALL.shape)
    soft = np.full(ALL.shape, SOFT, np.uint8)
    scores = scores_by_name(score_microct(truth, synthetic, soft, ALL, (0, 1), SPACING_MM))
    assert scores["", "psnr_local_db"] == scores["", "psnr_db"]
    assert scores["", "ssim_local"] == scores["", "ssim"] == ssim(truth, synthetic, (0, 1), ALL)


def test_without_soft_tissue_there_are_no_local_scores():
    grey = np.random.default_rng(18).random(ALL.shape)
    bone = np.full(ALL.shape, BONE, np.uint8)
    scores = scores_by_name(score_microct(grey, grey * 0.9, bone, ALL, (0, 1), SPACING_MM))
    assert math.isnan(scores["", "psnr_local_db"])
    assert math.isnan(scores["", "ssim_local"])
    assert math.isnan(scores["soft", "pixel_accuracy"])


def test_perceptibility_is_the_score_of_the_segmented_synthetic_micro_ct():
    truth, segmented = box(5, 9), box(6, 9)
    scores = scores_by_name(score_segmentation_of_synthetic(truth, segmented, ALL, SPACING_MM))
    of_map = scores_by_name(score_class_map(truth, segmented, ALL, SPACING_MM))
    for (name, metric), value in of_map.items():
        assert scores[name, f"perceptibility_{metric}"] == pytest.approx(value, nan_ok=True)
    assert len(scores) == len(of_map) + 1
    # Air is in neither map, so it has no part in the mean.
    mean = (of_map["soft", "dice"] + of_map["bone", "dice"]) / 2
    assert scores["", "s_score"] == pytest.approx(mean)


def test_a_class_that_the_segmentor_misses_counts_in_the_s_score():
    scores = scores_by_name(
        score_segmentation_of_synthetic(box(5, 9), box(5, 9, SOFT), ALL, SPACING_MM)
    )
    assert scores["bone", "perceptibility_dice"] == 0
    assert scores["", "s_score"] == pytest.approx(scores["soft", "perceptibility_dice"] / 2)
    nothing = np.zeros(ALL.shape, bool)
    empty = score_segmentation_of_synthetic(box(5, 9), box(5, 9), nothing, SPACING_MM)
    assert empty["value"].isna().all()


def test_voxels_near_class_borders_are_those_near_another_class_inside_the_mask():
    labels = box(5, 9)
    labels[0, 0, 0] = AIR
    mask = ALL.copy()
    mask[:, :, :8] = False
    near = near_class_borders(labels, mask, 0.3, SPACING_MM)
    expected = np.zeros_like(mask)
    for number in (AIR, SOFT, BONE):
        others = mask & (labels != number)
        distance = distance_transform_edt(~others, sampling=SPACING_MM)
        expected |= mask & (labels == number) & (distance <= 0.3 * (1 + 1e-5))
    np.testing.assert_array_equal(near, expected)
    # One voxel of 0.3 mm along z on either side, three of 0.1 mm along x; nothing of another mask.
    assert np.flatnonzero(near[:, 10, 10]).tolist() == [4, 5, 9, 10]
    assert np.flatnonzero(near[7, 10]).tolist() == [12, 13, 14, 15, 16, 17]


def test_a_single_class_has_no_borders():
    assert not near_class_borders(np.full(ALL.shape, BONE), ALL, 0.3, SPACING_MM).any()
