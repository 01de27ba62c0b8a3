"""Figures 11 and 12: what is drawn is what was measured."""

import numpy as np
import pandas as pd
import pytest

from otosynth.figures.field import FieldSlice, draw_field
from otosynth.figures.field_scores import draw_field_scores, error_with_dice
from otosynth.figures.slices import Plane
from otosynth.rows import CEILINGS, YARDSTICKS

TITLES = {"atlas": "Atlas", "single_task": "Single task", "multi_task": "Multi-task"}


def score_table(methods=TITLES, ears=6) -> pd.DataFrame:
    """The worse the Dice of bone, the larger the error."""
    random = np.random.default_rng(2)
    rows = []
    for ear in range(ears):
        for method in methods:
            bone = random.uniform(0.7, 0.95)
            about = (f"E{ear}", method)
            for name, dice in (("air", 0.9), ("soft", random.uniform(0.4, 0.8)), ("bone", bone)):
                rows.append((*about, "microct", name, "dice", dice))
            rows.append((*about, "field", "", "field_error", 1 - bone))
            for contact in range(1, 4):
                name = f"contact {contact:02d}"
                rows += [
                    (*about, "field", name, "field_error", 1 - bone + 0.01 * contact),
                    (*about, "field", name, "field_peak_shift_mm", -0.25 * contact),
                    (*about, "field", name, "field_width_error_mm", 0.1 * contact),
                ]
    columns = ["specimen", "method", "grid", "class", "metric", "value"]
    return pd.DataFrame(rows, columns=columns).assign(seed=1)


def test_errors_stand_beside_the_dice_of_the_same_prediction():
    pairs = error_with_dice(score_table())
    assert len(pairs) == 6 * 3 * 3
    bone = pairs[pairs["class"] == "bone"]
    np.testing.assert_allclose(bone["field_error"], 1 - bone["dice"])


def test_seeds_are_repeats_and_no_further_ears(label):
    one = score_table()
    again = one.assign(seed=2, value=one["value"] / 2)
    pairs = error_with_dice(pd.concat([one, again]))
    assert len(pairs) == 6 * 3 * 3
    np.testing.assert_allclose(pairs["dice"], 0.75 * error_with_dice(one)["dice"])
    figure = draw_field_scores(pd.concat([one, again]), TITLES, label)
    assert any(axes.get_title().endswith("n = 18") for axes in figure.axes)


def test_lost_contacts_are_counted(label):
    scores = score_table(methods=["atlas", "multi_task"])
    lost = scores[scores["class"] == ""].assign(metric="field_contacts_lost", value=0.5)
    figure = draw_field_scores(pd.concat([scores, lost]), TITLES, label)
    words = " ".join(text.get_text() for text in figure.texts)
    assert "all contacts but 6 lost ones" in words


def test_figure_11_says_how_the_error_goes_with_each_dice(label, assert_readable):
    figure = draw_field_scores(score_table(), TITLES, label)
    assert_readable(figure)
    titles = [axes.get_title() for axes in figure.axes]
    assert any("\N{MINUS SIGN}1, n = 18" in title for title in titles)
    # All Dice of air are the same: there is nothing to rank.
    assert any("unknown" in title for title in titles)


def test_figure_11_ranks_no_ceiling(label, assert_readable):
    titles = YARDSTICKS | TITLES | CEILINGS
    figure = draw_field_scores(score_table(titles), titles, label)
    assert_readable(figure)
    assert len(figure.axes[0].get_yticklabels()) == len(titles)
    count = 6 * (len(titles) - len(CEILINGS))
    assert any(axes.get_title().endswith(f"n = {count}") for axes in figure.axes)


def test_figure_11_shows_sizes_and_a_method_without_any_potential(label, assert_readable):
    scores = score_table()
    lost = (scores["method"] == "multi_task") & (scores["grid"] == "field")
    scores.loc[lost, "value"] = np.nan
    figure = draw_field_scores(scores, TITLES, label)
    assert_readable(figure)
    assert all(axes.get_xlim()[0] == 0 for axes in figure.axes[:3])
    assert "none" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("methods", [2, 5])
def test_figure_12_is_readable(label, assert_readable, methods):
    random = np.random.default_rng(1)
    potential = np.exp(random.normal(size=(30, 40)))
    potential[:4] = np.nan
    field = FieldSlice(
        # As fine as the map is, where the field has coarser voxels.
        classes=random.integers(0, 3, (90, 120)),
        potential=potential,
        errors={f"Method {k}": random.normal(0, 20, (30, 40)) for k in range(methods)},
        sensitivity=random.normal(0, 0.01, (30, 40)),
        contacts_mm=np.array([[3.0, 2.0], [4.5, 3.0]]),
    )
    figure = draw_field(field, Plane(0, 5, (0.24, 0.24)), "P2", 7, label)
    assert_readable(figure)


def test_figure_12_of_a_contact_without_a_potential(label):
    nothing = np.full((8, 8), np.nan)
    field = FieldSlice(
        np.full((8, 8), 2), np.ones((8, 8)), {"Lost": nothing}, np.zeros((8, 8)),
        np.array([[0.5, 0.5]]),
    )  # fmt: skip
    draw_field(field, Plane(1, 2, (0.24, 0.24)), "P2", 7, label).draw_without_rendering()
