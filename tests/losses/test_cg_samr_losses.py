"""Losses of CG-SAMR against values computed by hand (Guo 2021, Eq. 1 to 4)."""

import math

import pytest
import torch

from otosynth.losses.cg_samr import (
    confidence_loss,
    feature_matching_loss,
    generalised_dice_loss,
    mask_halved,
    mean_confidence,
    verdicts_loss,
)


def filled(value: float, edge: int) -> torch.Tensor:
    return torch.full((1, 1, edge, edge, edge), float(value))


def test_confidence_loss_is_equation_1_per_voxel():
    loss = confidence_loss(filled(0.5, 2), filled(0.25, 2), filled(-0.5, 4), filled(1, 4), 0.1)
    assert loss.item() == pytest.approx(0.25 * 1.0 - 0.1 * math.log(0.25))


@pytest.mark.parametrize("edge", [4, 8])
def test_confidence_loss_does_not_depend_on_the_patch_s_size(edge):
    small, large = filled(0.5, edge // 2), filled(-0.5, edge)
    loss = confidence_loss(small, filled(0.25, edge // 2), large, filled(1, edge), 0.1)
    assert loss.item() == pytest.approx(0.25 - 0.1 * math.log(0.25))


def test_confidence_is_best_where_lambda_over_error_says():
    # d/dc (c |error| - lambda log c) = 0 at c = lambda / |error|.
    confidence = filled(0.1 / 0.5, 2).requires_grad_()
    confidence_loss(filled(0.5, 2), confidence, filled(0, 4), filled(1, 4), 0.1).backward()
    torch.testing.assert_close(confidence.grad, torch.zeros_like(confidence), atol=1e-6, rtol=0)


def test_confidence_loss_leaves_out_every_half_voxel_that_the_mask_cuts():
    random = torch.Generator().manual_seed(0)
    half, confidence = (torch.rand(1, 1, 2, 2, 2, generator=random) for _ in range(2))
    microct, mask = torch.rand(1, 1, 4, 4, 4, generator=random), filled(1, 4)
    mask[..., 0] = 0
    assert mask_halved(mask).flatten().tolist() == [0, 1] * 4
    before = confidence_loss(half, confidence, microct, mask, 0.1)
    microct[..., 0], half[..., 0], confidence[..., 0] = math.nan, 7.0, 0.9
    assert confidence_loss(half, confidence, microct, mask, 0.1).item() == before.item()
    microct = microct.nan_to_num().reshape(2, 2, 2, 2, 2, 2).mean(dim=(1, 3, 5))[None, None]
    inside = (..., 1)
    terms = confidence * (half - microct).abs() - 0.1 * confidence.log()
    assert before.item() == pytest.approx(terms[inside].mean().item())


def test_confidence_loss_stays_finite_without_confidence_or_mask():
    confidence = filled(0, 2).requires_grad_()
    loss = confidence_loss(filled(0, 2), confidence, filled(1, 4), filled(1, 4), 0.1)
    loss.backward()
    assert loss.isfinite()
    assert confidence.grad.isfinite().all()
    assert confidence_loss(filled(0, 2), confidence, filled(1, 4), filled(0, 4), 0.1).item() == 0


def test_mean_confidence_is_that_inside_the_mask():
    confidence, mask = filled(0.8, 2), filled(1, 4)
    confidence[..., 0], mask[..., 0] = 0.1, 0
    assert mean_confidence(confidence, mask).item() == pytest.approx(0.8)


def test_feature_matching_is_equation_3():
    real = [[torch.zeros(1, 2, 2, 2, 2), torch.zeros(1, 4, 1, 1, 1)], [torch.zeros(1, 1, 2, 2, 2)]]
    fake = [
        [torch.full((1, 2, 2, 2, 2), 0.5), torch.full((1, 4, 1, 1, 1), -2.0)],
        [torch.full((1, 1, 2, 2, 2), 3.0)],
    ]
    assert feature_matching_loss(real, fake).item() == pytest.approx(0.25 + 4 + 9)


def test_generalised_dice_loss_is_equation_4_averaged_over_the_classes():
    classes = torch.zeros(1, 3, 1, 1, 4)
    classes[0, 0, ..., :2] = 1
    classes[0, 1, ..., 2] = 1  # The last voxel is outside the mask, and bone is absent.
    probabilities = torch.zeros_like(classes)
    probabilities[0, 0] = 0.75
    probabilities[0, 1] = 0.25
    air = 1 - 2 * 1.5 / (2 + 3 * 0.75)
    soft = 1 - 2 * 0.25 / (1 + 3 * 0.25)
    loss = generalised_dice_loss(classes, probabilities)
    assert loss.item() == pytest.approx((air + soft + 0) / 3, abs=1e-5)


def test_the_adversarial_loss_is_the_sum_over_the_discriminators_verdicts():
    features = torch.full((1, 2, 4, 4, 4), 9.0)
    layers = [[features, filled(verdict, 2)] for verdict in (0.0, 0.5, 3.0)]
    assert verdicts_loss(layers, True, "least_squares").item() == pytest.approx(1 + 0.25 + 4)
    assert verdicts_loss(layers, False, "least_squares").item() == pytest.approx(0 + 0.25 + 9)
    logs = sum(math.log(1 + math.exp(-verdict)) for verdict in (0.0, 0.5, 3.0))
    assert verdicts_loss(layers, True, "log").item() == pytest.approx(logs)
