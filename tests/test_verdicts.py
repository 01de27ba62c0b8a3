"""What the summary says of methods that do not beat two numbers on the CT."""

import pandas as pd

from otosynth.verdicts import LEAD, say_verdicts, verdicts_of

TITLES = {
    "ct_otsu": "Otsu on CT", "ct_thresholds": "Two thresholds on CT", "atlas": "Atlas",
    "single_task": "Single task", "exact_classes": "Exact classes",
}  # fmt: skip
EARS = ("P1", "P2", "P3")


def rows(method, values, metric="dice", name="soft", grid="microct", seed=0):
    return pd.DataFrame(
        {"study": "s", "label": "phantom", "seed": seed, "group": "A", "specimen": EARS,
         "method": method, "grid": grid, "class": name, "metric": metric, "value": values}
    )  # fmt: skip


def test_a_method_that_does_not_beat_a_yardstick_is_named_with_both_medians():
    scores = pd.concat(
        [
            rows("ct_otsu", [0.88, 0.887, 0.90]),
            rows("ct_thresholds", [0.90, 0.904, 0.91]),
            rows("single_task", [0.70, 0.798, 0.95], seed=1),
            rows("exact_classes", [0.98, 0.98, 0.98]),
        ]
    )
    assert say_verdicts(scores, TITLES) == [
        LEAD,
        "Single task does not beat Two thresholds on CT in Dice of soft tissue "
        "(0.798 against 0.904).",
    ]


def test_each_measure_has_its_own_best_yardstick_and_less_error_is_better():
    field = {"metric": "field_error", "name": "", "grid": "field"}
    scores = pd.concat(
        [
            rows("ct_otsu", [0.8] * 3, name="air"), rows("ct_thresholds", [0.7] * 3, name="air"),
            rows("ct_otsu", [0.8] * 3), rows("ct_thresholds", [0.9] * 3),
            rows("ct_otsu", [0.07] * 3, **field), rows("ct_thresholds", [0.06] * 3, **field),
            rows("atlas", [0.75] * 3, name="air"), rows("atlas", [0.9] * 3),
            rows("atlas", [0.018] * 3, **field),
            rows("single_task", [0.81] * 3, name="air"), rows("single_task", [0.91] * 3),
            rows("single_task", [0.065] * 3, **field),
        ]
    )  # fmt: skip
    said = say_verdicts(scores, TITLES)
    # As good is not better.
    assert said[1] == (
        "Atlas does not beat Otsu on CT in Dice of air (0.750 against 0.800), nor Two thresholds "
        "on CT in Dice of soft tissue (0.900 against 0.900)."
    )
    assert said[2] == (
        "Single task does not beat Two thresholds on CT in error of the electric field "
        "(6.5 % against 6.0 %)."
    )
    assert [verdict.beaten for verdict in verdicts_of(scores, "atlas")] == [False, False, True]


def test_a_method_that_beats_all_is_said_to():
    scores = pd.concat(
        [
            rows("ct_otsu", [0.8] * 3),
            rows("single_task", [0.9] * 3),
            rows("ct_otsu", [0.6] * 3, name="", metric="mean_dice"),
            rows("single_task", [0.7] * 3, name="", metric="mean_dice"),
        ]
    )
    assert say_verdicts(scores, TITLES)[1] == (
        "Single task beats every yardstick in Dice of soft tissue and mean Dice."
    )


def test_medians_are_of_the_same_ears_and_seeds_are_averaged():
    scores = pd.concat(
        [
            rows("ct_otsu", [0.5, 0.9, 0.9]),
            rows("single_task", [0.5, None, 0.8], seed=1),
            rows("single_task", [0.7, None, 0.8], seed=2),
        ]
    )
    [verdict] = verdicts_of(scores, "single_task")
    # Of P1 and P3 alone: 0.5 and 0.9, 0.6 and 0.8.
    assert (verdict.best, verdict.median) == (0.7, 0.7)
    assert not verdict.beaten


def test_without_yardsticks_nothing_is_said():
    assert say_verdicts(rows("atlas", [0.5] * 3), TITLES) == []
