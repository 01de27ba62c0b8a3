"""The rate is constant, then falls linearly; the patch order is a function of seed and epoch."""

import numpy as np
import pytest

from otosynth.training.schedule import learning_rate, patch_order


def test_the_thesis_s_rate_is_constant_for_100_epochs_then_falls_linearly_towards_0():
    rates = [learning_rate(2e-4, epoch, 100, 200) for epoch in range(200)]
    assert rates[:99] == [2e-4] * 99
    assert np.allclose(np.diff(rates[100:]), -2e-4 / 101)
    assert rates[-1] == pytest.approx(2e-4 / 101)


def test_every_patch_once_unless_more_or_fewer_visits_are_wanted():
    assert sorted(patch_order(10, 10, 1, 0)) == list(range(10))
    assert len(patch_order(10, 4, 1, 0)) == 4
    assert np.bincount(patch_order(10, 25, 1, 0), minlength=10).tolist().count(0) == 0


def test_the_order_repeats_by_seed_and_epoch_and_differs_between_them():
    first = patch_order(50, 50, 1, 3)
    assert np.array_equal(first, patch_order(50, 50, 1, 3))
    assert not np.array_equal(first, patch_order(50, 50, 1, 4))
    assert not np.array_equal(first, patch_order(50, 50, 2, 3))
