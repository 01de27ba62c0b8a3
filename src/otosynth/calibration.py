"""How far a predicted probability can be trusted, voxel by voxel.

Probabilities have shape (3, z, y, x), the classes of :mod:`otosynth.tissues` in their order, and
sum to 1. Confidence is the largest of the three; a voxel is correct where that class is the true
one: ``probability.max(axis=0)`` and ``probability.argmax(axis=0) == classmap``.
"""

import numpy as np
import pandas as pd

from otosynth.tissues import CLASSES

# How far a softmax in single precision may leave [0, 1].
ROUNDING = 1e-5


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
