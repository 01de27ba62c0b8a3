"""Calibration and uncertainty against values by hand."""

import math

import numpy as np
import pytest

from otosynth.calibration import (
    border_radius_mm,
    calibration_table,
    error_detection,
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
    thinned,
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


def test_error_detection_by_hand():
    confidence = np.array([0.4, 0.9, 0.5, 0.8, 0.5])
    correct = np.array([False, True, False, True, True])
    # Six pairs of a wrong and a right voxel: five are told apart, one is a draw.
    assert error_detection(confidence, correct) == pytest.approx(5.5 / 6)
    assert error_detection(1 - confidence, correct) == pytest.approx(0.5 / 6)
    assert math.isnan(error_detection(confidence, np.ones(5, bool)))
    assert math.isnan(error_detection(confidence, np.zeros(5, bool)))


def random_logits(voxels=20000):
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (3, voxels))
    probability = np.exp(logits) / np.exp(logits).sum(axis=0)
    drawn = random.random(voxels)
    truth = (drawn > probability[0]).astype(np.uint8) + (drawn > probability[:2].sum(axis=0))
    return probability, truth


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_what_made_probabilities_too_sure_or_too_unsure(temperature):
    honest, truth = random_logits()
    # Of these, logits times the temperature are honest ones.
    given = tempered(honest.astype(np.float32), 1 / temperature)
    found = fit_temperature(given, truth)
    assert found == pytest.approx(temperature, rel=0.03)
    np.testing.assert_allclose(tempered(given, temperature), honest, atol=2e-3)


def test_the_temperature_changes_no_class_and_sums_stay_one():
    honest, _ = random_logits(500)
    for temperature in (0.3, 1.0, 4.0):
        shares = tempered(honest, temperature)
        np.testing.assert_allclose(shares.sum(axis=0), 1)
        np.testing.assert_array_equal(shares.argmax(axis=0), honest.argmax(axis=0))
    assert tempered(honest, 1.0) is honest
    certain = np.array([[1], [0], [0]], np.float32)
    np.testing.assert_array_equal(tempered(certain, 3.0), certain)


def test_without_voxels_there_is_no_temperature_to_fit():
    assert fit_temperature(np.empty((3, 0)), np.empty(0, np.uint8)) == 1


def test_a_mask_is_thinned_evenly():
    chosen = np.random.default_rng(0).random((7, 5, 6)) < 0.6
    kept = np.stack(list(thinned(chosen, 40)))
    step = math.ceil(chosen.sum() / 40)
    np.testing.assert_array_equal(np.flatnonzero(kept), np.flatnonzero(chosen)[::step])
    np.testing.assert_array_equal(np.stack(list(thinned(chosen, 10**6))), chosen)


def test_reliability_near_borders_looks_at_those_voxels_alone():
    confidence = np.array([0.9, 0.9, 0.6, 0.6])
    correct = np.array([True, True, True, False])
    near = np.array([False, False, True, True])
    whole, borders = reliability(confidence, correct, near).to_dict("records")
    assert (whole["region"], borders["region"]) == ("all", "near borders")
    assert (whole["voxels"], borders["voxels"]) == (4, 2)
    assert (whole["wrong"], borders["wrong"]) == (0.25, 0.5)
    assert borders["ece"] == pytest.approx(0.1)
    assert whole["ece"] == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert borders["error_detection"] == 0.5


def test_a_border_is_near_within_a_voxel_at_least():
    assert border_radius_mm((0.12, 0.12, 0.12)) == 0.3
    assert border_radius_mm((0.4, 0.5, 0.4)) == 0.5
