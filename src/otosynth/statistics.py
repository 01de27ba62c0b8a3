"""Statistics that fit a handful of ears (method.md section 8).

All functions read the long score table (:mod:`otosynth.scores`) of one study. An ear is the unit:
seeds repeat a training on the same ears, so they are averaged first and never counted as ears.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from otosynth.errors import InputError
from otosynth.metric_registry import Better, Place, metric_of, metrics_in
from otosynth.rows import without_ceilings
from otosynth.tissues import CLASSES

RESAMPLES = 10_000
CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
# Up to this many ears all 2^n sign patterns are counted; above, 2^16 are drawn.
EXACT_EARS_AT_MOST = 16
# What tables/summary.csv and tables/comparison.csv are of.
DICE_METRICS = tuple(metric.name for metric in metrics_in(Place.SUMMARY))
SIGN_OF_GAIN = {Better.HIGHER: 1, Better.LOWER: -1, Better.NEITHER: 0}


def known_metrics(scores: pd.DataFrame, metrics: Iterable[str]) -> list[str]:
    """Return those metrics that have a value: all ears may lack it, e.g. at the cochlea.

    Raises
    ------
    InputError
        If none has a value.
    """
    known = scores[np.isfinite(scores["value"])]
    found = set(zip(known["metric"], known["grid"], strict=True))
    metrics = list(metrics)
    having = [name for name in metrics if (name, metric_of(name).grid) in found]
    if not having:
        raise InputError(f"The scores have no value of {', '.join(metrics)}.")
    return having


def ear_values(scores: pd.DataFrame, metric: str = "dice") -> pd.DataFrame:
    """Return one value an ear, method and class: the mean over the seeds.

    Values are those on the metric's grid; of a signed metric they are sizes. Values that are not
    finite (an absent class, the PSNR of equal volumes) are left out.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        Columns group, specimen, method, class, value.

    Raises
    ------
    InputError
        If there is no such metric, the table is of several studies or lacks the metric.
    """
    keys = ["group", "specimen", "method", "class"]
    rows = _finite_rows(scores, metric)
    return rows.groupby(keys, sort=False)["value"].mean().reset_index()


def paired_differences(scores: pd.DataFrame, reference: str, metric: str = "dice") -> pd.DataFrame:
    """Return each ear's difference of every method to a reference method.

    Ears that lack the value of either method are left out, as are ceilings, which are no methods.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.
    reference
        The method that is taken away from the others.

    Returns
    -------
    pandas.DataFrame
        Columns metric, method, class, group, specimen, difference (in the metric's unit).

    Raises
    ------
    InputError
        As :func:`ear_values`, or if the reference has no value.
    """
    values = ear_values(scores, metric)
    of_reference = values[values["method"] == reference].drop(columns="method")
    if of_reference.empty:
        raise InputError(f"The reference method {reference} has no {metric}.")
    methods = [name for name in without_ceilings(values["method"].unique()) if name != reference]
    others = values[values["method"].isin(methods)]
    pairs = others.merge(
        of_reference, on=["group", "specimen", "class"], suffixes=("", "_reference")
    )
    pairs["difference"] = pairs["value"] - pairs["value_reference"]
    pairs["metric"] = metric
    return pairs[["metric", "method", "class", "group", "specimen", "difference"]]


def paired_comparison(
    scores: pd.DataFrame,
    reference: str,
    metric: str = "dice",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every method with a reference method on the same ears.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.
    reference
        The method that is taken away from the others.
    resamples
        How often the bootstrap draws the ears anew.
    seed
        Of the bootstrap and, above 16 ears, of the sign flips.

    Returns
    -------
    pandas.DataFrame
        One row a method and class: metric, reference, method, class, ears, groups,
        mean_difference (method minus reference), low and high (:func:`bootstrap_interval`),
        p_value (:func:`sign_flip_p`), ears_won and ears_tied by the method (of a metric without
        a better direction all are tied). Classes without a pair of values have no row.

    Raises
    ------
    InputError
        As :func:`paired_differences`.
    """
    differences = paired_differences(scores, reference, metric)
    rows = []
    for (method, name), ears in differences.groupby(["method", "class"], sort=False):
        values = ears["difference"].to_numpy()
        gains = SIGN_OF_GAIN[metric_of(metric).better] * values
        low, high = bootstrap_interval(values, resamples, seed)
        rows.append(
            {
                "metric": metric,
                "reference": reference,
                "method": method,
                "class": name,
                "ears": len(values),
                "groups": ears["group"].nunique(),
                "mean_difference": values.mean(),
                "low": low,
                "high": high,
                "p_value": sign_flip_p(values, seed),
                "ears_won": int(np.count_nonzero(gains > 0)),
                "ears_tied": int(np.count_nonzero(gains == 0)),
            }
        )
    return pd.DataFrame(rows)


def method_summary(
    scores: pd.DataFrame,
    metric: str = "dice",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Summarise every method over the ears.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row a method and class: metric, method, class, ears, mean and median over the ears
        (seeds averaged first), low and high of the mean (:func:`bootstrap_interval`), seeds, and
        seed_spread: the standard deviation over seeds of the mean over ears; NaN for one seed.

    Raises
    ------
    InputError
        As :func:`ear_values`.
    """
    keys = ["method", "class"]
    rows = _finite_rows(scores, metric)
    by_seed = rows.groupby([*keys, "seed"], sort=False)["value"].mean()
    seeds = by_seed.groupby(keys, sort=False).agg(seeds="count", seed_spread="std")
    summaries = []
    for (method, name), ears in ear_values(scores, metric).groupby(keys, sort=False):
        values = ears["value"].to_numpy()
        low, high = bootstrap_interval(values, resamples, seed)
        summaries.append(
            {
                "metric": metric,
                "method": method,
                "class": name,
                "ears": len(values),
                "mean": values.mean(),
                "median": np.median(values),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(summaries).merge(seeds.reset_index(), on=keys)


def measures_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the median over the ears of every measure of the micro-CT's grid (method.md 8).

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        One row a method, one column a measure and class, e.g. ``dice air`` or ``ssim``; seeds are
        averaged first. NaN where a method has no such measure.

    Raises
    ------
    InputError
        As :func:`ear_values`.
    """
    of_grid = scores[scores["grid"] == "microct"]
    medians = {
        f"{metric} {name}".strip(): values.groupby("method")["value"].median()
        for metric in of_grid["metric"].unique()
        for name, values in ear_values(scores, metric).groupby("class", sort=False)
    }
    order = list(of_grid["method"].unique())
    return pd.DataFrame(medians).reindex(order).rename_axis("method").reset_index()


def bootstrap_interval(
    values: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron 1993, chapter 13).

    Parameters
    ----------
    values
        One an ear, shape (ears,). Paired differences draw both methods of an ear together.

    Returns
    -------
    tuple
        Low and high; NaN for fewer than two ears.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def sign_flip_p(differences: np.ndarray, seed: int = 0) -> float:
    """Return the two-sided p value of the mean difference when signs are flipped (Fisher 1935).

    It is the share of sign patterns whose mean is at least as far from 0. Up to 16 ears all 2^n
    patterns count, so p is exact; above, 2^16 are drawn, and the observed one is added to them.

    Parameters
    ----------
    differences
        One an ear, shape (ears,).
    seed
        Of the drawn patterns; without effect up to 16 ears.

    Returns
    -------
    float
        NaN without ears.
    """
    if len(differences) == 0:
        return float("nan")
    if len(differences) == 1:
        # A sign alone says nothing; scipy refuses a single value.
        return 1.0
    size = np.abs(differences).sum()
    test = stats.permutation_test(
        (differences / size if size else differences,),
        # Sums of the same numbers in another order differ in the last digits.
        lambda flipped, axis: np.abs(flipped.sum(axis=axis)).round(12),
        permutation_type="samples",
        vectorized=True,
        n_resamples=2**EXACT_EARS_AT_MOST,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def smallest_p(n: int) -> float:
    """Return the smallest exact two-sided p value of n ears: 2 of the 2^n sign patterns."""
    return min(2 / 2**n, 1.0)


def caveat(scores: pd.DataFrame, reference: str, metrics: Sequence[str] = DICE_METRICS) -> str:
    """Say in plain words what the paired comparison cannot show with so few ears.

    Parameters
    ----------
    scores
        Long table with the columns of :data:`otosynth.scores.SCORE_COLUMNS`.
    reference
        The reference method's title.
    metrics
        The metrics that are compared.
    """
    dice = scores[(scores["metric"] == "dice") & (scores["grid"] == "microct")]
    ears, groups = dice["specimen"].nunique(), dice["group"].nunique()
    # Of every measure, a metric of a class, all methods but the reference are compared.
    comparisons = 0
    for metric in known_metrics(scores, metrics):
        values = ear_values(scores, metric)
        values = values[values["method"].isin(without_ceilings(values["method"].unique()))]
        comparisons += int((values.groupby("class")["method"].nunique() - 1).sum())
    # What nothing trains has seed 0.
    seeds = dice[dice["seed"] > 0].groupby("method")["seed"].nunique().min()
    least = smallest_p(ears)
    sentences = [f"{ears} ears give an exact two-sided p of at least {least:.2g}."]
    if least * comparisons > SIGNIFICANCE:
        sentences.append(
            f"With {comparisons} comparisons no difference can be significant at "
            f"{SIGNIFICANCE:g} after a Bonferroni or Holm correction."
            if comparisons > 1
            else f"So no difference can be significant at {SIGNIFICANCE:g}."
        )
    sentences += [
        f"All comparisons are with {reference}; other methods are not tested against one another.",
        "Ears of one group share a trained model, so they are not independent, though p and "
        f"interval treat them so; with whole groups as the unit, {groups} groups give a p of at "
        f"least {smallest_p(groups):.2g}, and groups share training ears.",
        "Every method was trained once; how much another seed would change is not known, so "
        "nothing is ranked."
        if seeds == 1
        else "Seeds are repeats of a training, not further ears.",
        "The bootstrap interval of few ears is rather too narrow.",
    ]
    return " ".join(sentences)


def _finite_rows(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rows of a metric on its grid that have a value; of a signed one the size.

    Single contacts of an electric field are left out.

    Raises
    ------
    InputError
        If there is no such metric, the table is of several studies or lacks the metric.
    """
    known = metric_of(metric)
    studies = scores["study"].unique()
    if len(studies) > 1:
        raise InputError(f"Scores of several studies in one table: {', '.join(studies)}.")
    rows = scores[(scores["metric"] == metric) & (scores["grid"] == known.grid)]
    if rows.empty:
        raise InputError(f"The scores have no {metric} on the {known.grid} grid.")
    # From a file, the empty class of scores of all classes is read as NaN.
    rows = rows.fillna({"class": ""})
    rows = rows[np.isfinite(rows["value"]) & rows["class"].isin(["", *CLASSES])]
    # Signs would cancel over seeds.
    return rows.assign(value=rows["value"].abs()) if known.signed else rows
