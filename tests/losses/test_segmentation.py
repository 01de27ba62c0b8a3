"""Dice and cross-entropy inside the mask, against values computed by hand."""

import math

import pytest
import torch

from otosynth.losses.segmentation import (
    cross_entropy,
    deeply_supervised,
    dice_and_cross_entropy,
    head_weights,
    validation_score,
)


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, 3).permute(3, 0, 1, 2)[None].float()


@pytest.fixture
def classes():
    labels = torch.randint(0, 3, (6, 6, 6), generator=torch.Generator().manual_seed(0))
    return one_hot(labels)


@pytest.fixture
def logits():
    return torch.randn(1, 3, 6, 6, 6, generator=torch.Generator().manual_seed(1))


def test_cross_entropy_is_torch_s_own(logits, classes):
    expected = torch.nn.functional.cross_entropy(logits, classes.argmax(dim=1))
    assert cross_entropy(logits, classes).item() == pytest.approx(expected.item(), rel=1e-5)


def test_cross_entropy_of_an_undecided_network_is_log_3(classes):
    undecided = torch.zeros_like(classes)
    assert cross_entropy(undecided, classes).item() == pytest.approx(math.log(3))


def test_nothing_outside_the_mask_counts(logits, classes):
    classes[..., :2] = 0
    changed = logits.clone()
    changed[..., :2] = 7 * torch.arange(3).reshape(1, 3, 1, 1, 1)
    first, second = (dice_and_cross_entropy(values, classes) for values in (logits, changed))
    for name in first:
        assert first[name].item() == second[name].item(), name
    assert cross_entropy(logits, torch.zeros_like(classes)).item() == 0


def test_a_sure_and_right_network_loses_nothing(classes):
    losses = dice_and_cross_entropy(100 * classes, classes)
    assert all(loss.item() == pytest.approx(0, abs=1e-5) for loss in losses.values())


def test_losses_stay_finite_when_the_network_is_sure_and_wrong(classes):
    logits = (-1e4 * classes).requires_grad_()
    losses = dice_and_cross_entropy(logits, classes)
    sum(losses.values()).backward()
    assert all(math.isfinite(loss.item()) for loss in losses.values())
    assert logits.grad.isfinite().all()


def test_each_head_counts_half_as_much_as_the_finer_one(logits, classes):
    assert head_weights(3) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert head_weights(1) == [1]
    heads = [logits, torch.zeros_like(logits), 100 * classes]
    whole = deeply_supervised(heads, classes)
    for name, loss in whole.items():
        parts = [dice_and_cross_entropy(head, classes)[name].item() for head in heads]
        expected = 4 / 7 * parts[0] + 2 / 7 * parts[1] + 1 / 7 * parts[2]
        assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_epoch_is_selected_by_both():
    assert validation_score({"dice": 0.25, "cross_entropy": 0.5}) == 0.75
