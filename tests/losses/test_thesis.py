"""Losses against values computed by hand (thesis Eq. 1 to 4)."""

import math

import pytest
import torch

from otosynth.losses.thesis import adversarial_loss, dice_loss, perception_loss, weighted_l1_loss


def one_hot(classes: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(classes, 3).permute(3, 0, 1, 2)[None].float()


def test_log_loss_of_an_undecided_verdict_is_log_2():
    verdict = torch.zeros(1, 1, 2, 2, 2)
    assert adversarial_loss(verdict, True, "log").item() == pytest.approx(math.log(2))
    assert adversarial_loss(verdict, False, "log").item() == pytest.approx(math.log(2))


def test_adversarial_losses_reward_the_right_verdict():
    sure = torch.full((1, 1, 2, 2, 2), 5.0)
    for kind in ("log", "least_squares"):
        assert adversarial_loss(sure, False, kind) > adversarial_loss(sure, True, kind)
    assert adversarial_loss(sure, True, "least_squares").item() == pytest.approx(16.0)


def test_weighted_l1_sums_one_mean_error_per_class():
    classes = torch.zeros(4, 4, 4, dtype=torch.long)
    classes[0], classes[1] = 1, 2
    microct = torch.zeros(1, 1, 4, 4, 4)
    synthetic = torch.zeros_like(microct)
    synthetic[0, 0, 0] = 0.5  # soft
    synthetic[0, 0, 1] = -0.25  # bone
    loss = weighted_l1_loss(microct, synthetic, one_hot(classes))
    assert loss.item() == pytest.approx(0.0 + 0.5 + 0.25)


def test_weighted_l1_floors_the_count_so_that_a_stray_voxel_cannot_rule():
    classes = torch.zeros(20, 20, 20, dtype=torch.long)
    classes[0, 0, 0] = 1
    microct = torch.zeros(1, 1, 20, 20, 20)
    synthetic = torch.zeros_like(microct)
    synthetic[0, 0, 0, 0, 0] = 1
    loss = weighted_l1_loss(microct, synthetic, one_hot(classes))
    assert loss.item() == pytest.approx(1 / (0.001 * 8000))


def test_nothing_outside_the_mask_counts():
    classes = one_hot(torch.zeros(4, 4, 4, dtype=torch.long))
    classes[..., 0] = 0
    microct = torch.zeros(1, 1, 4, 4, 4)
    synthetic = torch.zeros_like(microct)
    synthetic[..., 0] = 1
    assert weighted_l1_loss(microct, synthetic, classes).item() == 0
    probabilities = torch.zeros(1, 3, 4, 4, 4)
    probabilities[:, 0] = 1
    probabilities[..., 0] = 1 / 3
    assert dice_loss(probabilities, classes).item() == pytest.approx(0, abs=1e-6)


def test_dice_loss_of_half_an_overlap():
    classes = torch.zeros(1, 4, 4, dtype=torch.long)
    classes[0, :2] = 1
    probabilities = one_hot(torch.zeros_like(classes))
    # air: 2*8/(16+8); soft: 0; bone: absent in both, so 1.
    expected = 1 - (16 / 24 + 0 + 1) / 3
    assert dice_loss(probabilities, one_hot(classes)).item() == pytest.approx(expected, abs=1e-5)


def test_perception_is_the_mean_difference_summed_over_layers():
    real = [torch.zeros(1, 2, 2, 2, 2), torch.zeros(1, 4, 1, 1, 1)]
    fake = [torch.full_like(real[0], 0.5), torch.full_like(real[1], -2.0)]
    assert perception_loss(real, fake).item() == pytest.approx(2.5)
