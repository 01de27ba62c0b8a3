"""Priors: a mean micro-CT, and shares of votes."""

import numpy as np
import pytest

from otosynth.priors import FILES, mean_microct, prior_channels, votes


def test_the_mean_is_of_the_ears_that_reach_a_voxel():
    first = np.array([1.0, np.nan, 3.0, np.nan], np.float32)[:, None, None]
    second = np.array([2.0, 4.0, np.nan, np.nan], np.float32)[:, None, None]
    mean = mean_microct([first, second])
    # Where none reaches, the lowest value of all stands for air.
    np.testing.assert_array_equal(mean.ravel(), [1.5, 4.0, 3.0, 1.0])
    assert mean.dtype == np.float32


def test_votes_are_counted_and_abstentions_are_not():
    maps = [np.array(v, np.uint8).reshape(1, 1, 4) for v in ([0, 1, 2, 255], [0, 2, 255, 255])]
    assert votes(maps, 0).ravel().tolist() == [2, 0, 0, 0]
    assert votes(maps, 2).ravel().tolist() == [0, 1, 1, 0]


def test_a_network_sees_the_micro_ct_scaled_and_the_votes_as_shares(normalisation):
    microct = np.array([0.0, 0.5, 1.0], np.float32).reshape(1, 1, 3)
    channels = prior_channels([microct], normalisation)
    assert channels.shape == (1, 1, 1, 3)
    np.testing.assert_allclose(channels.ravel(), [-1, 0, 1])
    counts = [np.array(v, np.uint8).reshape(1, 1, 2) for v in ([3, 0], [1, 0], [0, 0])]
    shares = prior_channels(counts, normalisation)
    np.testing.assert_allclose(shares[:, 0, 0, 0], [0.75, 0.25, 0])
    np.testing.assert_array_equal(shares[:, 0, 0, 1], 0)
    assert prior_channels([], normalisation) is None


@pytest.mark.parametrize(("kind", "count"), [("microct", 1), ("classes", 3)])
def test_each_kind_has_its_files(kind, count):
    assert len(FILES[kind]) == count
