"""Calibration and uncertainty against values by hand."""

import math

import numpy as np
import pytest

from otosynth.calibration import (
    calibration_table,
    expected_calibration_error,
    uncertainty,
)


def volume(*values, kind=np.float32):
    return np.array(values, kind).reshape(1, 1, -1)


def test_table_by_hand():
    confidence = volume(0.5, 0.7, 0.9, 0.8, 1.0, 0.1)
    correct = volume(1, 0, 1, 1, 0, 1, kind=bool)
    mask = volume(1, 1, 1, 1, 1, 0, kind=bool)
    table = calibration_table(confidence, correct, mask, bins=4)
    assert list(table.columns) == ["low", "high", "voxels", "confidence", "accuracy"]
    assert table["low"].tolist() == [0, 0.25, 0.5, 0.75]
    assert table["high"].tolist() == [0.25, 0.5, 0.75, 1]
    # An edge belongs to the bin above it, 1 to the last.
    assert table["voxels"].tolist() == [0, 0, 2, 3]
    assert table["confidence"].tolist() == pytest.approx([math.nan] * 2 + [0.6, 0.9], nan_ok=True)
    assert table["accuracy"].tolist() == pytest.approx([math.nan] * 2 + [0.5, 2 / 3], nan_ok=True)
    expected = (2 * 0.1 + 3 * (0.9 - 2 / 3)) / 5
    assert expected_calibration_error(table) == pytest.approx(expected)


def test_an_honest_prediction_has_no_error():
    random = np.random.default_rng(1)
    confidence = random.uniform(1 / 3, 1, (40, 50, 60))
    correct = random.random(confidence.shape) < confidence
    mask = np.ones(confidence.shape, bool)
    honest = calibration_table(confidence.astype(np.float32), correct, mask)
    assert expected_calibration_error(honest) < 0.01
    sure = calibration_table(np.ones(confidence.shape), correct, mask)
    assert expected_calibration_error(sure) == pytest.approx(1 / 3, abs=0.01)
    assert honest["voxels"].sum() == sure["voxels"].sum() == confidence.size


def test_an_empty_mask_gives_no_numbers():
    nothing = np.zeros((1, 1, 2), bool)
    table = calibration_table(volume(0.5, 0.6), ~nothing, nothing)
    assert len(table) == 10
    assert table["accuracy"].isna().all()
    assert math.isnan(expected_calibration_error(table))


def test_rounding_is_forgiven_and_nonsense_refused():
    inside = np.ones((1, 1, 1), bool)
    table = calibration_table(volume(1.000001), inside, inside)
    assert table["voxels"].iloc[-1] == 1
    for wrong in (1.5, -0.2, math.nan):
        with pytest.raises(ValueError, match="not in"):
            calibration_table(volume(wrong), inside, inside)
        assert calibration_table(volume(wrong), inside, ~inside)["voxels"].sum() == 0


def test_uncertainty_by_hand():
    probability = np.array(
        [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0], [0.7, 0.2, 0.1]], np.float32
    ).T.reshape(3, 1, 1, 4)
    result = uncertainty(probability)
    assert result.shape == (1, 1, 4)
    assert result.dtype == np.float32
    last = -sum(p * math.log(p) for p in (0.7, 0.2, 0.1)) / math.log(3)
    expected = [0, 1, math.log(2) / math.log(3), last]
    assert result.ravel().tolist() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="4 probabilities"):
        uncertainty(np.zeros((4, 1, 1, 1)))
