"""How far a predicted probability can be trusted, voxel by voxel.

Probabilities have shape (3, z, y, x), the classes of :mod:`otosynth.tissues` in their order, and
sum to 1. Confidence is the largest of the three; a voxel is correct where that class is the true
one: ``probability.max(axis=0)`` and ``probability.argmax(axis=0) == classmap``.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from otosynth.tissues import CLASSES

# How far a softmax in single precision may leave [0, 1].
ROUNDING = 1e-5
# How near to a border of true classes confidence is looked at by itself, if no voxel is larger:
# elsewhere nearly all voxels are right, and nobody asks how sure one may be. A CT's voxel.
BORDER_MM = 0.3
BORDER_BINS = 15
# Between which temperatures the best is looked for.
TEMPERATURES = (0.1, 10.0)


def calibration_table(
    confidence: np.ndarray, correct: np.ndarray, mask: np.ndarray, bins: int = 10
) -> pd.DataFrame:
    """Compare confidence with accuracy in bins of equal width (Guo, C. 2017, section 2).

    Parameters
    ----------
    confidence
        Probability of the predicted class, shape (z, y, x).
    correct
        True where the predicted class is the true one, shape (z, y, x).
    mask
        True where the score looks, shape (z, y, x).
    bins
        Their number; each holds its lower edge, the last also 1.

    Returns
    -------
    pandas.DataFrame
        One row a bin: low, high, voxels, confidence (mean), accuracy; both NaN in an empty bin.

    Raises
    ------
    ValueError
        If a confidence inside the mask is not in [0, 1].
    """
    values, right = confidence[mask], correct[mask]
    if not np.all((values >= -ROUNDING) & (values <= 1 + ROUNDING)):
        raise ValueError("a confidence inside the mask is not in [0, 1]")
    values = np.clip(values, 0, 1).astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    voxels, _ = np.histogram(values, edges)
    total, _ = np.histogram(values, edges, weights=values)
    hits, _ = np.histogram(values[right], edges)
    known = np.where(voxels > 0, voxels, np.nan)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "voxels": voxels,
            "confidence": total / known,
            "accuracy": hits / known,
        }
    )


def expected_calibration_error(table: pd.DataFrame) -> float:
    """Mean over the voxels of |accuracy - confidence| of their bin (Guo, C. 2017, Eq. 3).

    Parameters
    ----------
    table
        As :func:`calibration_table` gives.

    Returns
    -------
    float
        In [0, 1]; NaN without voxels.
    """
    voxels = table["voxels"].sum()
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((table["voxels"] * gaps).sum() / voxels) if voxels else float("nan")


def error_detection(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Return how well low confidence finds errors: the area under the ROC curve.

    It is the chance that a wrong voxel has a lower confidence than a right one, where equal ones
    count half (the rank statistic of Mann & Whitney 1947).

    Parameters
    ----------
    confidence, correct
        As for :func:`calibration_table`, of the voxels that count, in one row.

    Returns
    -------
    float
        0.5 by chance, 1 where every error is less sure than what is right; NaN where all is
        right, or all wrong.
    """
    # Imported here, as below: predictions, which are many, need no more of scipy.
    from scipy.stats import rankdata

    wrong = int(np.count_nonzero(~correct))
    right = len(correct) - wrong
    if wrong == 0 or right == 0:
        return float("nan")
    # Ranks of the uncertainty, from 1.
    ranks = rankdata(-confidence.astype(np.float64))[~correct].sum()
    return float((ranks - wrong * (wrong + 1) / 2) / wrong / right)


def border_radius_mm(spacing_mm: Sequence[float]) -> float:
    """Return how near to a border is near, on a grid of some voxel size: at least a voxel."""
    return max(BORDER_MM, *spacing_mm)


def reliability(confidence: np.ndarray, correct: np.ndarray, near: np.ndarray) -> pd.DataFrame:
    """Return how far confidence can be trusted in all voxels, and near borders of classes.

    Parameters
    ----------
    confidence, correct, near
        Of the voxels that count, in one row; ``near`` is True near borders of true classes
        (:func:`border_radius_mm`).

    Returns
    -------
    pandas.DataFrame
        One row a region: region, voxels, wrong (share), ece (expected calibration error in
        ``BORDER_BINS`` bins), error_detection (:func:`error_detection`).
    """
    rows = []
    for region, chosen in (("all", np.ones_like(near)), ("near borders", near)):
        values, right = confidence[chosen], correct[chosen]
        table = calibration_table(values, right, np.ones_like(right), BORDER_BINS)
        rows.append(
            {
                "region": region,
                "voxels": len(right),
                "wrong": float(np.mean(~right)) if len(right) else float("nan"),
                "ece": expected_calibration_error(table),
                "error_detection": error_detection(values, right),
            }
        )
    return pd.DataFrame(rows)


def thinned(chosen: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield a mask's planes along z with about so many of its voxels left, evenly.

    Parameters
    ----------
    chosen
        Boolean, (z, y, x).
    most
        How many voxels are left at most.
    """
    step = max(1, math.ceil(np.count_nonzero(chosen) / most))
    before = 0
    for plane in chosen:
        places = np.flatnonzero(plane)
        kept = np.zeros(plane.shape, bool)
        # Those whose number in the whole mask the step divides.
        kept.flat[places[-before % step :: step]] = True
        before += len(places)
        yield kept


def tempered(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities as of logits divided by a temperature (Guo, C. 2017, section 4.2).

    Parameters
    ----------
    probability
        One a class along the first axis.
    temperature
        Above 1: less sure. The most probable class stays so.
    """
    if temperature == 1:
        return probability
    # Of the largest, so that nothing vanishes in single precision but what is next to nothing.
    shares = (probability / probability.max(axis=0)) ** (1 / temperature)
    result: np.ndarray = shares / shares.sum(axis=0)
    return result


def fit_temperature(probability: np.ndarray, truth: np.ndarray) -> float:
    """Return the temperature at which the true classes have the lowest cross-entropy.

    Parameters
    ----------
    probability
        Of each class and voxel, shape (3, voxels).
    truth
        Class numbers of these voxels.

    Returns
    -------
    float
        Within ``TEMPERATURES``; 1 without voxels.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0
    least = np.finfo(np.float32).tiny
    logits = np.log(np.maximum(probability, least, dtype=np.float32)).astype(np.float64)
    logits -= logits.max(axis=0)
    of_truth = np.take_along_axis(logits, truth[None].astype(np.intp), axis=0)[0]

    def cross_entropy(log_temperature: float) -> float:
        cold = np.exp(-log_temperature)
        return float((np.log(np.exp(cold * logits).sum(axis=0)) - cold * of_truth).mean())

    bounds = tuple(np.log(TEMPERATURES))
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def uncertainty(probability: np.ndarray) -> np.ndarray:
    """Predictive entropy, -sum p log p, over log 3 (Gal 2016, section 3.3.1).

    Parameters
    ----------
    probability
        Mean probabilities of shape (3, z, y, x).

    Returns
    -------
    numpy.ndarray
        Shape (z, y, x), single precision: 0 where one class is certain, 1 where all three are
        equally likely.

    Raises
    ------
    ValueError
        If there is not one probability a class.
    """
    if len(probability) != len(CLASSES):
        raise ValueError(f"{len(probability)} probabilities a voxel for {len(CLASSES)} classes")
    # p log p goes to 0 with p, but log 0 is no number.
    least = np.finfo(np.float32).tiny
    entropy = np.zeros(probability.shape[1:], np.float32)
    for p in probability:
        entropy -= p * np.log(np.maximum(p, least, dtype=np.float32))
    return np.clip(entropy / np.float32(np.log(len(CLASSES))), 0, 1)
