"""Statistics of a handful of ears, against values by hand."""

import numpy as np
import pandas as pd
import pytest

from otosynth.errors import InputError
from otosynth.scores import SCORE_COLUMNS
from otosynth.statistics import (
    bootstrap_interval,
    caveat,
    ear_values,
    known_metrics,
    measures_table,
    method_summary,
    paired_comparison,
    paired_differences,
    sign_flip_p,
    smallest_p,
)

EARS = [f"E{k}" for k in range(1, 7)]
GROUPS = dict(zip(EARS, "AABBCC", strict=True))
BASE = np.array([0.5, 0.6, 0.7, 0.55, 0.65, 0.75])
GAINS = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])


def rows(method, values, seed=0, name="soft", metric="dice", grid="microct"):
    return pd.DataFrame(
        [
            {"study": "s", "label": "phantom", "seed": seed, "group": GROUPS[ear], "specimen": ear,
             "method": method, "grid": grid, "class": name, "metric": metric, "value": value}
            for ear, value in zip(EARS, values, strict=True)
        ]
    )[SCORE_COLUMNS]  # fmt: skip


def compared(gains, **options):
    scores = pd.concat([rows("old", BASE), rows("new", BASE + gains)])
    table = paired_comparison(scores, "old", **options)
    assert len(table) == 1
    return table.iloc[0]


def test_six_wins_of_six_are_2_of_64_patterns():
    row = compared(GAINS)
    assert row["p_value"] == 2 / 64 == smallest_p(6) == 0.03125
    assert row["mean_difference"] == pytest.approx(0.035)
    assert (row["ears"], row["groups"], row["ears_won"], row["ears_tied"]) == (6, 3, 6, 0)
    assert (row["metric"], row["reference"], row["method"], row["class"]) == (
        "dice", "old", "new", "soft",
    )  # fmt: skip
    assert compared(-GAINS)["p_value"] == 2 / 64
    assert compared(-GAINS)["ears_won"] == 0


def test_sign_flips_by_hand():
    # Sums 6, 4, 2, 0, 0, -2, -4, -6 of 1, 2, 3; 4 is reached by 6, 4, -4 and -6.
    assert sign_flip_p(np.array([-1.0, 2, 3])) == 4 / 8
    assert sign_flip_p(np.array([1.0, 2, 3])) == 2 / 8
    assert sign_flip_p(np.array([0.7])) == 1
    assert np.isnan(sign_flip_p(np.array([])))


def test_ties_carry_no_evidence():
    # An ear without a difference doubles every pattern and changes no share.
    assert sign_flip_p(np.array([0.0, 1, 2, 3])) == sign_flip_p(np.array([1.0, 2, 3]))
    assert sign_flip_p(np.zeros(6)) == 1
    row = compared(GAINS * [1, 1, 1, 0, -1, 0])
    assert (row["ears_won"], row["ears_tied"]) == (3, 2)


def test_equal_sums_in_another_order_are_as_far():
    # 0.1 + 0.2 is not 0.3 in binary, yet +0.1 +0.2 -0.3 and its mirror are 0 like the rest of 0.
    assert sign_flip_p(np.array([0.1, 0.2, -0.3])) == 1
    assert sign_flip_p(np.full(6, 0.1)) == 2 / 64


@pytest.mark.parametrize("ears", [2, 4, 9, 12])
def test_up_to_16_ears_all_sign_patterns_count(ears):
    values = np.random.default_rng(3).normal(0.3, 1, ears).round(1)
    flips = np.arange(2**ears)[:, None] >> np.arange(ears) & 1
    sums = np.abs((1 - 2 * flips) @ values)
    share = np.count_nonzero(sums >= abs(values.sum()) - 1e-9) / 2**ears
    # Neither the seed nor the unit changes it.
    assert {sign_flip_p(values, 1), sign_flip_p(values, 2), sign_flip_p(values * 1e-9)} == {share}


def test_many_ears_are_drawn_and_agree_with_the_exact_p():
    values = np.random.default_rng(4).normal(0.5, 1, 17)
    p = sign_flip_p(values, seed=1)
    assert sign_flip_p(values, seed=1) == p
    flips = np.arange(2**17)[:, None] >> np.arange(17) & 1
    sums = np.abs((1 - 2 * flips) @ values)
    assert p == pytest.approx(np.mean(sums >= abs(values.sum()) - 1e-9), abs=0.005)
    # Never 0, however clear.
    assert sign_flip_p(np.ones(40)) == 1 / (2**16 + 1)


def test_a_known_bootstrap():
    # Of two ears with 0 and 1 a resample's mean is 0, 1/2, 1 with 1/4, 1/2, 1/4.
    assert bootstrap_interval(np.array([0.0, 1.0])) == (0, 1)
    assert bootstrap_interval(np.full(6, 0.25)) == (0.25, 0.25)
    values = BASE
    drawn = np.random.default_rng(5).integers(6, size=(10_000, 6))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    assert bootstrap_interval(values) == pytest.approx((low, high), abs=0.004)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_one_ear_has_no_interval():
    assert np.isnan(bootstrap_interval(np.array([0.3]))).all()


def test_both_methods_of_an_ear_are_drawn_together():
    # Ears differ by much more than the methods; a constant gain has no spread at all.
    row = compared(np.full(6, 0.02))
    assert (row["low"], row["high"]) == pytest.approx((0.02, 0.02))


def test_seeds_are_repeats_and_do_not_narrow_the_interval():
    one = pd.concat([rows("old", BASE), rows("new", BASE + GAINS, seed=1)])
    many = pd.concat(
        [rows("old", BASE), *[rows("new", BASE + GAINS, seed=seed) for seed in range(1, 6)]]
    )
    pd.testing.assert_frame_equal(paired_comparison(one, "old"), paired_comparison(many, "old"))
    first, fifth = method_summary(one).iloc[1], method_summary(many).iloc[1]
    assert (first["low"], first["high"]) == pytest.approx((fifth["low"], fifth["high"]))
    assert (first["ears"], fifth["ears"]) == (6, 6)
    assert (first["seeds"], fifth["seeds"]) == (1, 5)
    assert np.isnan(first["seed_spread"])
    assert fifth["seed_spread"] == pytest.approx(0)


def test_seeds_are_averaged_within_an_ear():
    scores = pd.concat(
        [rows("old", BASE), rows("new", BASE + 0.01, seed=1), rows("new", BASE + 0.03, seed=2)]
    )
    differences = paired_differences(scores, "old")
    assert list(differences.columns) == [
        "metric", "method", "class", "group", "specimen", "difference",
    ]  # fmt: skip
    assert differences["difference"].to_numpy() == pytest.approx(np.full(6, 0.02))
    summary = method_summary(scores).set_index("method")
    assert summary.loc["new", "mean"] == pytest.approx(BASE.mean() + 0.02)
    assert summary.loc["new", "median"] == pytest.approx(np.median(BASE) + 0.02)
    assert summary.loc["new", "seed_spread"] == pytest.approx(np.std([0.01, 0.03], ddof=1))
    assert summary.loc["old", "seeds"] == 1


def test_every_measure_has_its_median_over_the_ears():
    scores = pd.concat(
        [
            rows("old", BASE),
            rows("new", BASE + 0.01, seed=1),
            rows("new", BASE + 0.03, seed=2),
            rows("new", BASE * 30, seed=1, name="", metric="psnr_db"),
            rows("new", BASE, seed=1, grid="coarse", metric="ssim"),
        ]
    )
    table = measures_table(scores)
    assert list(table.columns) == ["method", "dice soft", "psnr_db"]
    assert list(table["method"]) == ["old", "new"]
    assert list(table["dice soft"]) == pytest.approx([np.median(BASE), np.median(BASE) + 0.02])
    assert np.isnan(table["psnr_db"][0])
    assert table["psnr_db"][1] == pytest.approx(np.median(BASE) * 30)


def test_metrics_without_a_value_are_not_known():
    scores = pd.concat([rows("old", BASE), rows("old", BASE * np.nan, metric="cochlear_dice")])
    assert known_metrics(scores, ["cochlear_dice", "dice", "ssim"]) == ["dice"]
    known = pd.concat([scores, rows("new", BASE, metric="cochlear_dice")])
    assert known_metrics(known, ["cochlear_dice", "dice", "ssim"]) == ["cochlear_dice", "dice"]
    assert list(measures_table(scores).columns) == ["method", "dice soft"]


def test_the_caveat_counts_the_comparisons_at_the_cochlea_too(tmp_path):
    names = {"soft": "cochlear_dice", "bone": "cochlear_dice", "": "cochlear_mean_dice"}
    at_cochlea = [rows(m, BASE, name=n, metric=k) for m in ("old", "new") for n, k in names.items()]
    scores = pd.concat([rows("old", BASE), rows("new", BASE), *at_cochlea])
    scores.to_csv(tmp_path / "scores.csv", index=False)
    assert "With 4 comparisons" in caveat(pd.read_csv(tmp_path / "scores.csv"), "Old")


def test_where_less_is_better_less_wins():
    scores = pd.concat([rows("old", BASE, metric="hd95_mm"),
                        rows("new", BASE - GAINS, metric="hd95_mm")])  # fmt: skip
    row = paired_comparison(scores, "old", "hd95_mm").iloc[0]
    assert row["mean_difference"] == pytest.approx(-0.035)
    assert row["ears_won"] == 6


def test_ears_without_a_value_are_left_out_and_not_counted():
    missing = BASE + GAINS
    missing[0], missing[1] = np.nan, np.inf
    scores = pd.concat([rows("old", BASE), rows("new", missing)])
    row = paired_comparison(scores, "old").iloc[0]
    assert row["ears"] == 4
    assert row["p_value"] == 2 / 16
    nowhere = pd.concat([rows("old", BASE), rows("new", BASE * np.nan)])
    assert len(paired_comparison(nowhere, "old")) == 0


def test_only_the_metric_and_grid_asked_for_count(tmp_path):
    file = tmp_path / "scores.csv"
    pd.concat(
        [
            rows("old", BASE), rows("old", BASE, name="", metric="ssim"),
            rows("new", BASE + GAINS), rows("new", BASE + 2 * GAINS, name="", metric="ssim"),
            rows("new", BASE - 1, grid="own"),
        ]
    ).to_csv(file, index=False)  # fmt: skip
    scores = pd.read_csv(file)
    assert paired_comparison(scores, "old")["mean_difference"].tolist() == pytest.approx([0.035])
    ssim = paired_comparison(scores, "old", "ssim")
    assert ssim["class"].tolist() == [""]
    assert ssim["mean_difference"].tolist() == pytest.approx([0.07])
    assert len(ear_values(scores)) == 12


def test_what_cannot_be_compared_is_said():
    scores = rows("old", BASE)
    with pytest.raises(InputError, match="no psnr_db on the microct grid"):
        ear_values(scores, "psnr_db")
    with pytest.raises(InputError, match="reference method other"):
        paired_differences(scores, "other")
    with pytest.raises(InputError, match="several studies in one table: s, t"):
        ear_values(pd.concat([scores, scores.assign(study="t")]))


def study_of(ears, groups, methods, classes=("air", "soft", "bone"), seeds=(1,)):
    """Return Dice of an atlas and of trained methods."""
    trained = [(f"m{k}", seed) for k in range(methods) for seed in seeds]
    return pd.DataFrame([
        {"study": "s", "metric": "dice", "grid": "microct", "specimen": f"E{ear}",
         "group": ear % groups, "method": method, "seed": seed, "class": name, "value": 0.9}
        for ear in range(ears) for method, seed in [("atlas", 0), *trained] for name in classes
    ])  # fmt: skip


def test_the_caveat_says_what_six_ears_cannot_show():
    text = caveat(study_of(6, 3, 3), "Atlas vote")
    assert "6 ears give an exact two-sided p of at least 0.031" in text
    assert "With 9 comparisons no difference can be significant at 0.05" in text
    assert "not independent" in text
    assert "3 groups give a p of at least 0.25" in text
    assert "All comparisons are with Atlas vote" in text
    assert "trained once" in text
    assert "repeats" not in text
    assert "Seeds are repeats" in caveat(study_of(6, 3, 3, seeds=(1, 2)), "Atlas vote")
    one = {"methods": 1, "classes": ("air",)}
    assert "no difference" not in caveat(study_of(6, 3, **one), "Atlas vote")
    assert "no difference" not in caveat(study_of(12, 6, 3), "Atlas vote")
    assert "So no difference can be significant" in caveat(study_of(4, 2, **one), "Atlas vote")
