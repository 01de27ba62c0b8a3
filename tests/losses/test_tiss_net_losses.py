"""Equations 1 to 9 of Wu 2023, for three classes, against values computed by hand."""

import pytest
import torch

from otosynth.losses.thesis import dice_loss
from otosynth.losses.tiss_net import (
    coarse_errors,
    consistency_loss,
    discriminator_loss,
    error_loss,
    generator_adversarial,
    refined_classes,
    segmentor_losses,
    tissue_l1,
    tissue_mask,
)


def volume(*values: float) -> torch.Tensor:
    """One channel of a few voxels, (1, 1, 1, 1, x)."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 1, -1)


def channels(*rows: list[float]) -> torch.Tensor:
    """A row a channel, (1, channel, 1, 1, x)."""
    return torch.tensor(rows).reshape(1, len(rows), 1, 1, -1)


CLASSES = channels([1.0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0])
"""Air, soft tissue twice, and a voxel outside the mask."""
COARSE = channels([0.8, 0.1, 0.2, 0.1], [0.1, 0.2, 0.7, 0.1], [0.1, 0.7, 0.1, 0.8])
"""Right, bone in place of soft tissue, right, and outside."""
ERRORS = channels([0.0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0])


def test_equation_2_and_3_are_least_squares_and_d_s_halves_are_summed():
    assert generator_adversarial(volume(0.5, 1)).item() == pytest.approx(0.25 / 2)
    loss = discriminator_loss(real=volume(0.5, 1), fake=volume(1, 0)).item()
    assert loss == pytest.approx((1 + 0) / 2 + (0.25 + 0) / 2)


def test_the_tissue_mask_is_a_margin_round_soft_tissue_inside_the_mask():
    classes = torch.zeros(1, 3, 9, 9, 9)
    classes[0, 1, 4, 4, 4] = 1
    mask = torch.ones(1, 1, 9, 9, 9)
    mask[..., :3] = 0
    tissue = tissue_mask(classes, mask, 2)
    assert tissue.sum() == 5 * 5 * 4
    assert tissue[0, 0, 2:7, 2:7, 3:7].min() == 1
    assert torch.equal(tissue_mask(classes, mask, 0), classes[:, 1:2])
    assert tissue_mask(torch.zeros_like(classes), mask, 2).sum() == 0


def test_the_l1_of_equation_4_counts_what_is_inside_m_and_divides_as_equation_1():
    real, synthetic = volume(0, 0, 0, 0), volume(0.5, 0.5, 0.25, 1)
    loss = tissue_l1(real, synthetic, tissue=volume(0, 1, 1, 0), mask=volume(1, 1, 1, 0))
    assert loss.item() == pytest.approx(0.75 / 3)


def test_equation_7_is_the_binary_rule_for_each_class_and_sums_to_one():
    coarse, error = channels([0.7], [0.2], [0.1]), channels([0.9], [0.8], [0.0])
    rule = torch.tensor([0.7 * 0.1 + 0.3 * 0.9, 0.2 * 0.2 + 0.8 * 0.8, 0.1])
    refined = refined_classes(coarse, error).flatten()
    assert torch.allclose(refined, rule / rule.sum())
    assert refined.sum().item() == pytest.approx(1)


def test_equation_7_of_two_classes_is_the_paper_s():
    y_c, y_e = 0.7, 0.4
    refined = refined_classes(channels([1 - y_c], [y_c]), channels([y_e], [y_e])).flatten()
    assert refined[1].item() == pytest.approx((1 - y_c) * y_e + y_c * (1 - y_e))


def test_equation_7_corrects_a_wrong_class_and_keeps_a_right_one():
    hard = channels([1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1])
    refined = refined_classes(hard, ERRORS)
    assert torch.equal(refined[..., :3], CLASSES[..., :3])


def test_equation_7_stays_finite_where_no_class_is_left():
    refined = refined_classes(channels([1.0], [0], [0]), channels([1.0], [0], [0]))
    assert torch.equal(refined, torch.zeros_like(refined))


def test_equation_8_is_the_mean_square_over_labelled_voxels():
    fine = torch.zeros(1, 3, 1, 1, 4)
    refined = channels([0.3, 0, 0, 9], [0, 0.6, 0, 9], [0, 0, 0, 9])
    expected = (0.09 + 0.36) / (3 * 3)
    assert consistency_loss(fine, refined, CLASSES).item() == pytest.approx(expected)


def test_a_wrong_voxel_is_an_error_of_both_its_classes():
    assert torch.equal(coarse_errors(COARSE, CLASSES), ERRORS)


def test_the_error_loss_of_equation_9_is_dice_against_the_coarse_errors():
    assert error_loss(ERRORS, COARSE, CLASSES).item() == pytest.approx(0, abs=1e-6)
    error = channels([0.0, 0, 0, 1], [0, 0.5, 0, 1], [0, 1, 0.5, 1])
    expected = 1 - (1 + 2 * 0.5 / (0.5 + 1) + 2 / (1.5 + 1)) / 3
    assert error_loss(error, COARSE, CLASSES).item() == pytest.approx(expected, abs=1e-4)


def test_equation_9_has_three_terms():
    fine = torch.softmax(COARSE, dim=1)
    losses = segmentor_losses(fine, ERRORS, COARSE, CLASSES)
    assert losses["fine"] == dice_loss(fine, CLASSES)
    assert losses["error"] == error_loss(ERRORS, COARSE, CLASSES)
    refined = refined_classes(COARSE, ERRORS)
    assert losses["consistency"] == consistency_loss(fine, refined, CLASSES)


def test_the_consistency_teaches_all_three_predictions():
    predictions = [torch.full((1, 3, 1, 1, 4), v, requires_grad=True) for v in (0.2, 0.3, 0.4)]
    fine, coarse, error = predictions
    consistency_loss(fine, refined_classes(coarse, error * CLASSES), CLASSES).backward()
    for prediction in predictions:
        assert prediction.grad.abs().max() > 0
