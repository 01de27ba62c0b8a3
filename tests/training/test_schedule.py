"""The rate is constant, then falls linearly; the patch order is a function of seed and epoch."""

import numpy as np
import pytest

from otosynth.training.schedule import (
    cosine_rate,
    drawn_by_weight,
    learning_rate,
    patch_order,
)


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


def test_the_cosine_rises_over_the_warm_up_and_falls_to_0():
    rates = [cosine_rate(2.0, step, 100, 0.1) for step in range(101)]
    assert rates[:11] == pytest.approx([0.2 * (step + 1) for step in range(10)] + [2.0])
    assert rates[55] == pytest.approx(1.0)
    assert rates[25] == pytest.approx(1 + np.cos(np.pi / 6))
    assert rates[100] == pytest.approx(0)
    assert np.all(np.diff(rates[10:]) < 0)


def test_without_a_warm_up_the_cosine_starts_at_the_full_rate():
    assert cosine_rate(0.5, 0, 7, 0.0) == 0.5
    assert cosine_rate(0.5, 0, 1, 0.06) == 0.5


def test_a_share_of_the_order_is_drawn_by_weight():
    order = np.arange(4000) % 10
    weights = np.array([0, 0, 3, 0, 0, 0, 0, 1, 0, 0])
    drawn = drawn_by_weight(order, weights, 0.4, 1, 0)
    changed = drawn[drawn != order]
    assert set(changed) == {2, 7}
    # Of those drawn anew a tenth falls on itself.
    assert len(changed) / len(order) == pytest.approx(0.4 * 0.9, abs=0.03)
    assert np.mean(changed == 2) == pytest.approx(0.75, abs=0.05)
    assert np.array_equal(drawn, drawn_by_weight(order, weights, 0.4, 1, 0))
    assert not np.array_equal(drawn, drawn_by_weight(order, weights, 0.4, 1, 1))
    assert np.array_equal(order, drawn_by_weight(order, weights, 0.0, 1, 0))
    assert set(drawn_by_weight(order, weights, 1.0, 1, 0)) == {2, 7}
