"""Equations 1 and 2 of Zhang 2018 against values computed by hand."""

import math

import pytest
import torch

from otosynth.losses.cycle_shape import (
    cross_entropy,
    cycle_consistency,
    discriminator_loss,
    shape_consistency,
)


def volume(*values: float) -> torch.Tensor:
    """One channel of a few voxels, (1, 1, 1, 1, x)."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 1, -1)


def channels(*rows: list[float]) -> torch.Tensor:
    """A row a channel, (1, channel, 1, 1, x)."""
    return torch.tensor(rows).reshape(1, len(rows), 1, 1, -1)


CLASSES = channels([1.0, 0, 0], [0, 1, 0], [0, 0, 0])
"""Air, soft tissue, and a voxel outside the mask."""


def test_equation_1_adds_the_mean_errors_of_both_domains_inside_their_masks():
    real = volume(0, 0.5, 1), volume(1, 1, 1)
    again = volume(0.2, 0.5, -1), volume(0.5, 0.5, 0.5)
    masks = volume(1, 1, 0), volume(1, 1, 1)
    assert cycle_consistency(real, again, masks).item() == pytest.approx(0.2 / 2 + 0.5)


def test_cross_entropy_is_the_mean_over_labelled_voxels():
    logits = channels([0.0, 0, 9], [0, 2, -9], [0, 0, 5])
    expected = (math.log(3) - math.log(math.exp(2) / (math.exp(2) + 2))) / 2
    assert cross_entropy(logits, CLASSES).item() == pytest.approx(expected)


def test_cross_entropy_of_a_patch_without_labels_is_0():
    assert cross_entropy(channels([1.0], [2], [3]), torch.zeros(1, 3, 1, 1, 1)).item() == 0


def test_cross_entropy_weighs_patches_alike():
    few = torch.cat([CLASSES, channels([1.0, 0, 0], [0, 0, 0], [0, 0, 0])])
    logits = torch.zeros(2, 3, 1, 1, 3)
    logits[1, 1] = 5
    both = [cross_entropy(logits[k : k + 1], few[k : k + 1]).item() for k in (0, 1)]
    assert cross_entropy(logits, few).item() == pytest.approx(sum(both) / 2)


def test_equation_2_adds_both_segmentors():
    even = channels([0.0] * 3, [0.0] * 3, [0.0] * 3)
    sure = 100 * CLASSES
    assert shape_consistency((even, sure), (CLASSES, CLASSES)).item() == pytest.approx(math.log(3))
    assert shape_consistency((even, even), (CLASSES, CLASSES)).item() == pytest.approx(
        2 * math.log(3)
    )


def test_d_is_judged_by_the_mean_of_real_and_synthetic():
    loss = discriminator_loss(volume(0.5, 1), volume(1, 0), kind="least_squares")
    assert loss.item() == pytest.approx(((0.25 + 0) / 2 + (1 + 0) / 2) / 2)
