"""Windows map to [-1, 1] and back; percentiles come from the masks of the training ears."""

import numpy as np
import pytest

from otosynth.errors import InputError
from otosynth.normalisation import Normalisation, Window, percentiles_of_volumes


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_normalising_is_invertible(scale):
    window = Window(-1000, 2500, scale)
    values = np.linspace(-1000, 2500, 50, dtype=np.float32)
    normalised = window.normalise(values)
    assert normalised[0] == pytest.approx(-1)
    assert normalised[-1] == pytest.approx(1)
    np.testing.assert_allclose(window.restore(normalised), values, atol=0.5)


def test_values_beyond_the_window_are_clipped():
    np.testing.assert_array_equal(Window(0, 1).normalise(np.array([-5, 9])), [-1, 1])


def test_log_scale_spreads_the_low_end():
    low = np.array([0.05])
    assert Window(0, 1, "log").normalise(low) > Window(0, 1).normalise(low) + 0.5


def test_percentiles_agree_with_numpy_and_ignore_what_is_outside_the_mask():
    random = np.random.default_rng(0)
    volumes = [random.normal(size=(8, 20, 20)).astype(np.float32) for _ in range(3)]
    masks = [random.random((8, 20, 20)) < 0.5 for _ in range(3)]
    expected = np.percentile(
        np.concatenate([v[m] for v, m in zip(volumes, masks, strict=True)]), [0.5, 99.5]
    )
    for volume, mask in zip(volumes, masks, strict=True):
        volume[~mask] = 1e6
    found = percentiles_of_volumes(zip(volumes, masks, strict=True), (0.5, 99.5))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_constant_or_empty_training_set_is_refused():
    ones = np.ones((2, 4, 4), np.float32)
    with pytest.raises(InputError, match="constant"):
        percentiles_of_volumes([(ones, ones)], (0.5, 99.5))
    with pytest.raises(InputError, match="no voxel inside"):
        percentiles_of_volumes([(ones, 0 * ones)], (0.5, 99.5))


def test_a_normalisation_reads_back_as_written(tmp_path):
    written = Normalisation(Window(-1000, 2500), Window(0.1, 0.7, "log"), ("P1", "P5"))
    written.write(tmp_path / "n.json")
    assert Normalisation.read(tmp_path / "n.json") == written


def test_normalised_values_are_float32_whatever_the_window_is_of():
    window = Window(np.float64(-1), np.float64(1))
    assert window.normalise(np.zeros((2, 2))).dtype == np.float32
