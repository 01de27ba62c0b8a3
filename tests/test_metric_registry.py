"""The registry holds every metric that a table of scores has, and no other."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from otosynth.audit.selection import select_element
from otosynth.errors import InputError
from otosynth.evaluation import score
from otosynth.field.scores import score_fields
from otosynth.metric_registry import METRICS, Better, Place, drawn_with, metric_of, metrics_in
from otosynth.scores import SCORE_COLUMNS, gather
from otosynth.statistics import ear_values, known_metrics, paired_comparison

ROOT = Path(__file__).parents[1]


@pytest.fixture
def scores(tmp_path, pairs) -> pd.DataFrame:
    """The table of scores of one ear with a cochlea, a segmentor and an electric field."""
    pair = pairs["E1"]
    truth = {
        name: sitk.GetImageFromArray(getattr(pair, name))
        for name in ("classmap", "microct", "mask")
    }
    predicted = {
        "classmap": truth["classmap"],
        "microct": truth["microct"] * 0.9,
        "segmented": truth["classmap"],
    }
    along = np.arange(9.0)
    potentials = np.stack([peak / (1 + np.abs(along - peak)) for peak in (2, 4, 6)])
    tables = {
        "of_classes": score(predicted, truth | {"cochlea": truth["mask"]}, {}, (0.0, 1.0)),
        "of_field": score_fields(potentials, np.roll(potentials, 1, axis=1), along, along).assign(
            grid="field"
        ),
    }
    files = [tmp_path / f"{folder}/E1/m/seed-1.csv" for folder in tables]
    for file, table in zip(files, tables.values(), strict=True):
        file.parent.mkdir(parents=True)
        table.to_csv(file, index=False)
    return gather(files, "s", "phantom", {"E1": "A"})


def test_every_metric_of_a_table_of_scores_is_registered_and_the_other_way_round(scores):
    assert set(scores["metric"]) == {metric.name for metric in METRICS}
    assert len(METRICS) == len({metric.name for metric in METRICS})
    grids = scores.groupby("metric")["grid"].unique()
    assert {name: list(grid) for name, grid in grids.items()} == {
        metric.name: [metric.grid] for metric in METRICS
    }


def test_every_metric_has_values_that_can_be_drawn(scores):
    names = [metric.name for metric in METRICS]
    assert known_metrics(scores, names) == names
    assert all(len(ear_values(scores, name)) for name in names)


def test_units_are_those_of_the_names():
    endings = {"_mm": "mm", "_db": "dB", "_deg": "°"}
    for metric in METRICS:
        found = [unit for ending, unit in endings.items() if metric.name.endswith(ending)]
        assert metric.unit == "".join(found)


def test_the_equations_numbers_are_those_of_the_method_s_page():
    page = (ROOT / "docs/method.md").read_text(encoding="utf-8")
    for name, words in (("dice", "Dice"), ("perceptual_error", "perceptual error")):
        assert f"{words} ({metric_of(name).source})" in page
    field = (ROOT / "docs/field.md").read_text(encoding="utf-8")
    for metric in METRICS:
        if metric.source.startswith("docs/field.md"):
            assert re.search(rf"^\|.*`{metric.name}`", field, re.MULTILINE)


def test_an_unknown_metric_is_refused_by_name(scores, tmp_path):
    message = "There is no metric 'jaccard'. There are: dice, mean_dice, .*otosynth.metric_registry"
    with pytest.raises(InputError, match=message):
        metric_of("jaccard")
    with pytest.raises(InputError, match=message):
        ear_values(scores, "jaccard")
    file = tmp_path / "new/E1/m/seed-1.csv"
    file.parent.mkdir(parents=True)
    pd.DataFrame(
        {"grid": ["microct"], "class": ["air"], "metric": ["jaccard"], "value": [1]}
    ).to_csv(file, index=False)
    with pytest.raises(InputError, match=message):
        gather([file], "s", "phantom", {"E1": "A"})


def test_dice_stands_for_all_dice_and_every_other_metric_for_itself():
    assert drawn_with("dice") == ["dice", "mean_dice", "cochlear_dice", "cochlear_mean_dice"]
    assert drawn_with("ssim") == ["ssim"]
    with pytest.raises(InputError, match="no metric 'jaccard'"):
        drawn_with("jaccard")


def test_every_place_shows_something():
    assert all(metrics_in(place) for place in Place)


def made_scores(metric, of_old, of_new, name=""):
    grid = metric_of(metric).grid
    values = {"old": of_old, "new": of_new}
    return pd.DataFrame(
        [
            ("s", "phantom", 1, "A", f"E{ear}", method, grid, name, metric, value)
            for method, of_method in values.items()
            for ear, value in enumerate(of_method)
        ],
        columns=SCORE_COLUMNS,
    )


@pytest.mark.parametrize(
    ("metric", "won"),
    [("field_peak_shift_mm", 3), ("field_width_error_mm", 3), ("field_rank_correlation", 0),
     ("field_width_mm", 0), ("hd95_mm", 3), ("ssim", 0)],
)  # fmt: skip
def test_less_wins_only_where_less_is_better(metric, won):
    scores = made_scores(metric, [0.9, 0.8, 0.7], [0.1, 0.2, 0.3])
    row = paired_comparison(scores, "old", metric).iloc[0]
    assert row["ears_won"] == won
    assert row["ears_tied"] == (3 if metric_of(metric).better is Better.NEITHER else 0)


def test_of_a_signed_metric_the_size_counts():
    scores = made_scores("field_width_error_mm", [0.2, 0.2], [-0.5, -0.1])
    row = paired_comparison(scores, "old", "field_width_error_mm").iloc[0]
    assert row["mean_difference"] == pytest.approx(0.1)
    assert row["ears_won"] == 1


def test_single_contacts_are_no_classes():
    contact = made_scores("field_error", [0.9], [0.8], name="contact 01")
    array = made_scores("field_error", [0.5], [0.4])
    assert set(ear_values(pd.concat([contact, array]), "field_error")["class"]) == {""}


def test_metrics_without_any_value_are_said():
    scores = made_scores("cochlear_dice", [np.nan], [np.nan], name="soft")
    with pytest.raises(InputError, match="no value of cochlear_dice"):
        known_metrics(scores, ["cochlear_dice"])


@pytest.mark.parametrize(
    ("figure", "words", "drawn", "metric", "grid"),
    [
        ("fig7", [], "dice", "dice", "microct"),
        ("fig7", [], "hd95_mm", "hd95_mm", "microct"),
        ("fig9", [], "field_error", "field_error", "field"),
        ("fig7", ["metric=cochlear_dice"], "dice", "cochlear_dice", "microct"),
        ("fig11", ["metric=field_width_mm"], "dice", "field_width_mm", "field"),
    ],
)
def test_a_traced_element_is_of_the_metric_that_the_figure_shows(
    figure, words, drawn, metric, grid
):
    about = select_element(figure, words, {}, drawn).about
    assert (about["metric"], about["grid"]) == (metric, grid)
    assert select_element("fig1", [], {}, drawn).about == {}
