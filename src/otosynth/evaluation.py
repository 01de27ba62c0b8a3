"""Scores of predictions against the truth, on the micro-CT grid (method 8)."""

from collections.abc import Mapping

import pandas as pd
import SimpleITK as sitk

from otosynth.metrics import score_class_map, score_microct
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.grids import onto_grid


def score(
    predicted: Mapping[str, sitk.Image],
    truth: Mapping[str, sitk.Image],
    own_grid: Mapping[str, sitk.Image],
    window: tuple[float, float],
) -> pd.DataFrame:
    """Score a prediction on the micro-CT grid and, where it has another, on its own.

    Parameters
    ----------
    predicted
        ``classmap`` and, where the method gives one, ``microct``.
    truth
        ``classmap``, ``microct`` and ``mask`` on the micro-CT grid.
    own_grid
        The same on the prediction's grid; empty where that is the micro-CT grid.
    window
        Micro-CT intensities that mean 0 and 1.

    Returns
    -------
    DataFrame
        Long: grid (microct or own), class, metric, value; class is empty for the micro-CT's.
    """
    brought = {
        name: onto_grid(image, truth[name], interpolate=name == "microct")
        for name, image in predicted.items()
    }
    tables = [_score_on_grid(brought, truth, window).assign(grid="microct")]
    if own_grid:
        tables.append(_score_on_grid(predicted, own_grid, window).assign(grid="own"))
    return pd.concat(tables)[["grid", "class", "metric", "value"]]


def _score_on_grid(
    predicted: Mapping[str, sitk.Image],
    truth: Mapping[str, sitk.Image],
    window: tuple[float, float],
) -> pd.DataFrame:
    mask = array_of(truth["mask"]) > 0
    classes = array_of(truth["classmap"]), array_of(predicted["classmap"])
    scores = score_class_map(*classes, mask, spacing_zyx(truth["mask"]))
    if "microct" not in predicted:
        return scores
    volumes = array_of(truth["microct"]), array_of(predicted["microct"])
    return pd.concat([scores, score_microct(*volumes, mask, window).assign(**{"class": ""})])
