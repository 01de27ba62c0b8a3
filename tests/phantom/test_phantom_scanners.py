"""What the scanners add to the attenuation."""

import numpy as np
import pytest

from otosynth.phantom.scanners import shading


@pytest.mark.parametrize("seed", range(8))
def test_cupping_darkens_the_middle_of_a_slice(seed: int) -> None:
    field = shading((9, 21, 21), np.random.default_rng(seed))
    slice_ = field[4]
    # The drift has opposite signs in opposite corners.
    corners = slice_[[0, 0, -1, -1], [0, -1, 0, -1]].mean()
    assert 10.0 <= corners - slice_[10, 10] <= 40.0
    assert np.abs(slice_.mean()) < 3.0
    for axis in range(3):
        first, last = (np.take(field, k, axis).mean() for k in (0, -1))
        assert 0.0 < np.abs(last - first) <= 40.0
