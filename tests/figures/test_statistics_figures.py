"""Figures of calibration and of paired differences."""

import numpy as np
import pandas as pd
import pytest
import seaborn
from matplotlib import MatplotlibDeprecationWarning
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from otosynth.calibration import calibration_table
from otosynth.figures.calibration import draw_calibration
from otosynth.figures.differences import draw_differences
from otosynth.figures.method_rows import SEABORN_WARNING
from otosynth.rows import CEILINGS, YARDSTICKS
from otosynth.statistics import (
    DICE_METRICS,
    caveat,
    known_metrics,
    paired_comparison,
    paired_differences,
)

TITLES = {"atlas": "Atlas"} | {f"m{k}": f"Method number {k}" for k in range(8)}


def make_tables(count, bins=10):
    random = np.random.default_rng(1)
    tables = {}
    for k in range(count):
        confidence = random.beta(6, 1, (20, 20, 20)) * 2 / 3 + 1 / 3
        correct = random.random(confidence.shape) < confidence ** (1 + k / 2)
        mask = np.ones(correct.shape, bool)
        tables[f"Method number {k}"] = calibration_table(confidence, correct, mask, bins)
    return tables


def dots(axes):
    """Return x and height of all ears' points: the means' diamonds are larger."""
    found = [
        c for c in axes.collections if isinstance(c, PathCollection) and max(c.get_sizes()) < 9
    ]
    return np.concatenate([points.get_offsets() for points in found])


def points_of_row(axes, row):
    at = dots(axes)
    return sorted(at[np.round(at[:, 1]) == row, 0])


def make_scores(methods, ears=6, metric="dice", classes=("air", "soft", "bone")):
    random = np.random.default_rng(2)
    return pd.DataFrame(
        [
            {"study": "s", "label": "phantom", "seed": 1, "group": "ABCDEFGHIJKL"[k // 2],
             "specimen": f"P{k:02}", "method": m, "grid": "microct", "class": c,
             "metric": metric, "value": random.uniform(0.6, 0.8) + 0.02 * number}
            for k in range(ears) for number, m in enumerate(methods) for c in classes
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("count", "bins"), [(1, 10), (2, 15), (8, 10)])
def test_calibration_is_readable(count, bins, label, assert_readable):
    assert_readable(draw_calibration(make_tables(count, bins), label))


def test_calibration_tells_the_error_and_the_share_of_the_voxels(label):
    tables = make_tables(2)
    figure = draw_calibration(tables, label)
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries[0] == "as sure as right"
    assert [entry.split(" (ECE 0.")[0] for entry in entries[1:]] == list(tables)
    curves, bars = figure.axes
    used = tables["Method number 0"].dropna()
    np.testing.assert_allclose(
        curves.lines[1].get_xydata()[-len(used) :], used[["confidence", "accuracy"]]
    )
    heights = [patch.get_height() for patch in bars.patches]
    assert sum(heights) == pytest.approx(200)


@pytest.mark.parametrize(("count", "ears"), [(1, 2), (2, 6), (8, 23)])
def test_differences_are_readable(count, ears, label, assert_readable):
    methods = list(TITLES)[: count + 1]
    scores = make_scores(methods, ears)
    table, points = paired_comparison(scores, "atlas"), paired_differences(scores, "atlas")
    note = caveat(scores, TITLES["atlas"])
    assert_readable(draw_differences(table, TITLES, label, points, note))


def test_differences_at_the_cochlea_stand_below(label, assert_readable):
    methods = list(TITLES)[:4]
    scores = pd.concat(
        [
            make_scores(methods),
            make_scores(methods, metric="mean_dice", classes=("",)),
            make_scores(methods, metric="cochlear_dice", classes=("soft", "bone")),
            make_scores(methods, metric="cochlear_mean_dice", classes=("",)),
        ]
    )
    comparison, ears = (
        pd.concat(
            compare(scores, "atlas", metric) for metric in known_metrics(scores, DICE_METRICS)
        )
        for compare in (paired_comparison, paired_differences)
    )
    figure = draw_differences(comparison, TITLES, label, ears, caveat(scores, "Atlas"))
    assert_readable(figure)
    # The panel below that of air is a gap.
    whole, at_cochlea = figure.axes[:4], [figure.axes[k] for k in (4, 6, 7)]
    assert not figure.axes[5].get_visible()
    assert whole[0].get_title() == "whole volume:\nmean of all"
    assert all(axes.xaxis.get_tick_params()["labelbottom"] for axes in whole)
    assert [axes.get_title() for axes in at_cochlea] == [
        f"at the cochlea:\n{name}" for name in ("mean of both", "soft tissue", "bone")
    ]
    means = ears[ears["metric"] == "cochlear_mean_dice"].set_index("method")["difference"]
    np.testing.assert_allclose(points_of_row(at_cochlea[0], 0), sorted(means.loc["m0"]))


def test_ceilings_are_no_member_of_a_comparison(label, assert_readable):
    titles = YARDSTICKS | {"atlas": "Atlas", "m0": "Method"} | CEILINGS
    scores = make_scores(list(titles))
    table, points = paired_comparison(scores, "atlas"), paired_differences(scores, "atlas")
    assert set(table["method"]) == {*YARDSTICKS, "m0"}
    note = caveat(scores, "Atlas")
    assert f"With {3 * (len(YARDSTICKS) + 1)} comparisons" in note
    figure = draw_differences(table, titles, label, points, note)
    assert_readable(figure)
    rows = [tick.get_text().replace("\n", " ") for tick in figure.axes[0].get_yticklabels()]
    assert rows == [*YARDSTICKS.values(), "Method"]


@pytest.mark.parametrize(("metric", "better"), [("ssim", "right"), ("perceptual_error", "left")])
def test_scores_of_all_classes_have_one_panel(metric, better, label, assert_readable):
    scores = make_scores(["m0", "m1"], metric=metric, classes=[""])
    table, points = (
        compare(scores, "m0", metric) for compare in (paired_comparison, paired_differences)
    )
    figure = draw_differences(table, TITLES, label, points)
    assert_readable(figure)
    assert len(figure.axes) == 1
    assert f"better to the {better}" in figure.get_supxlabel()


def test_of_a_metric_without_a_better_direction_nobody_wins(label, assert_readable):
    metric = "field_width_mm"
    scores = make_scores(["m0", "m1"], metric=metric, classes=["", "contact 01"])
    scores["grid"] = "field"
    table, points = (
        compare(scores, "m0", metric) for compare in (paired_comparison, paired_differences)
    )
    figure = draw_differences(table, TITLES, label, points)
    assert_readable(figure)
    # Single contacts have no panel.
    assert [axes.get_title() for axes in figure.axes] == ["all contacts"]
    assert "better" not in figure.get_supxlabel()
    assert not [text for text in figure.axes[0].texts if text.get_text()]


def test_points_of_one_ear_have_one_height_in_all_boxes_whatever_chance_says(label):
    scores = make_scores(["atlas", "m0", "m1"])
    table, points = paired_comparison(scores, "atlas"), paired_differences(scores, "atlas")
    heights = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002 - seaborn's jitter would draw from it
        figure = draw_differences(table, TITLES, label, points)
        heights.append([sorted(dots(axes)[:, 1] % 1) for axes in figure.axes])
    np.testing.assert_array_equal(heights[0], heights[1])
    np.testing.assert_allclose(heights[0][0][::2], heights[0][0][1::2])


def test_the_warning_of_seaborn_is_still_needed():
    """Once this fails, SEABORN_WARNING and its filter in draw_boxes can go."""
    with pytest.warns(MatplotlibDeprecationWarning, match=SEABORN_WARNING):
        seaborn.boxplot(x=[1.0, 2.0, 3.0], ax=Figure().subplots())


def test_differences_say_what_they_are_compared_with_and_what_they_cannot_show(label):
    scores = make_scores(["atlas", "m0", "m1"])
    table, points = paired_comparison(scores, "m0"), paired_differences(scores, "m0")
    note = caveat(scores, TITLES["m0"])
    figure = draw_differences(table, TITLES, label, points, note)
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "difference to Method number 0" in texts
    footer = figure.get_supxlabel().replace("\n", " ")
    assert "6 ears give an exact two-sided p of at least 0.031" in footer
    assert "With 6 comparisons no difference can be significant" in footer
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert rows == ["Atlas", "Method number 1"]
    soft = points[points["class"] == "soft"].set_index("method")["difference"]
    for row, method in enumerate(["atlas", "m1"]):
        drawn = points_of_row(figure.axes[1], row)
        np.testing.assert_allclose(drawn, sorted(soft.loc[method]))
