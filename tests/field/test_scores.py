"""Scores of profiles whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from otosynth.audit.recompute_field import field_scores_of
from otosynth.errors import InputError
from otosynth.field.scores import half_height_width, score_fields
from otosynth.provenance.places import Places

ALONG = np.arange(41) * 0.25
ANGLES = 20.0 * np.arange(41)


def triangle(peak_mm: float, height: float = 4.0, half_base_mm: float = 2.0) -> np.ndarray:
    return 1 + height * np.clip(1 - np.abs(ALONG - peak_mm) / half_base_mm, 0, None)


def value(table, metric, which=""):
    return table[(table["metric"] == metric) & (table["class"] == which)]["value"].item()


@pytest.fixture
def truth():
    return np.stack([triangle(3, 4), triangle(5, 5), triangle(7, 6)])


def test_the_same_field_has_no_error(truth):
    table = score_fields(truth, truth, ALONG, ANGLES)
    for metric in ("field_error", "field_peak_shift_mm", "field_width_error_mm"):
        assert value(table, metric) == 0
    assert value(table, "field_rank_correlation") == pytest.approx(1)
    assert value(table, "field_ranking_kept") == 1
    assert value(table, "field_contacts_lost") == 0
    assert sorted(set(table["class"])) == ["", "contact 01", "contact 02", "contact 03"]


def test_errors_shifts_and_widths_are_those_made(truth):
    predicted = np.stack([1.1 * truth[0], triangle(5.5, 5), triangle(7, 6, 3.0)])
    table = score_fields(truth, predicted, ALONG, ANGLES)
    assert value(table, "field_error", "contact 01") == pytest.approx(0.1)
    assert value(table, "field_peak_shift_mm", "contact 02") == pytest.approx(0.5)
    assert value(table, "field_peak_shift_deg", "contact 02") == pytest.approx(40)
    assert value(table, "field_true_width_mm", "contact 03") == pytest.approx(2.0)
    assert value(table, "field_width_error_mm", "contact 03") == pytest.approx(1.0)
    assert value(table, "field_peak_shift_mm") == pytest.approx(0.5 / 3)


def test_a_changed_order_of_contacts_is_told(truth):
    table = score_fields(truth, truth * np.array([[2.0], [1], [1]]), ALONG, ANGLES)
    assert value(table, "field_ranking_kept") == 0
    assert value(table, "field_rank_correlation") == pytest.approx(-1 / 3)


def test_a_lost_contact_has_no_scores_and_is_counted(truth):
    predicted = truth.copy()
    predicted[1] = np.nan
    predicted[2, :4] = np.nan
    table = score_fields(truth, predicted, ALONG, ANGLES)
    assert np.isnan(value(table, "field_error", "contact 02"))
    assert value(table, "field_error", "contact 03") == 0
    assert value(table, "field_contacts_lost") == 1
    assert value(table, "field_ranking_kept") == 0


def test_a_width_ends_with_the_sites():
    assert half_height_width(triangle(0.0, 4.0), ALONG) == pytest.approx(1.0)
    assert np.isnan(half_height_width(np.full(41, np.nan), ALONG))


def test_other_contacts_or_sites_are_refused(truth):
    with pytest.raises(InputError, match="same contacts and neural sites"):
        score_fields(truth, truth[:2], ALONG, ANGLES)
    with pytest.raises(InputError, match="gives no contact a potential"):
        score_fields(np.nan * truth, truth, ALONG, ANGLES)


def test_contacts_that_the_truth_leaves_out_are_not_scored(truth):
    predicted = truth.copy()
    truth[1] = np.nan
    table = score_fields(truth, predicted, ALONG, ANGLES)
    assert sorted(set(table["class"])) == ["", "contact 01", "contact 03"]
    assert value(table, "field_contacts_lost") == 0
    assert value(table, "field_ranking_kept") == 1


@pytest.mark.parametrize("left_out", [[], [0]])
def test_the_audit_s_own_code_agrees(tmp_path, truth, left_out):
    random = np.random.default_rng(4)
    true = truth + random.uniform(0, 0.3, truth.shape)
    predicted = true * random.uniform(0.8, 1.2, truth.shape)
    predicted[1] = np.nan
    predicted[2, :4] = np.nan
    true[left_out] = np.nan
    points = pd.DataFrame({"number": range(1, 42), "along_mm": ALONG, "angle_deg": ANGLES})
    points.assign(kind="site").to_csv(tmp_path / "electrodes.csv", index=False)
    for name, profiles in (("truth", true), ("predicted", predicted)):
        table = pd.DataFrame(profiles.T, columns=[f"contact {k:02d}" for k in (1, 2, 3)])
        table.insert(0, "site", range(1, 42))
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    roles = {name: [f"{name}.csv"] for name in ("electrodes", "truth", "predicted")}
    again = field_scores_of(Places(tmp_path), roles)
    found = {(which, metric): value for _, which, metric, value in again}
    scores = score_fields(true, predicted, ALONG, ANGLES)
    first = scores.set_index(["class", "metric"])["value"].to_dict()
    assert found.keys() == first.keys()
    for key, value in first.items():
        assert found[key] == pytest.approx(value, nan_ok=True), key
