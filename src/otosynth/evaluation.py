"""Scores of predictions against the truth, on the micro-CT grid (docs/method.md, section 8)."""

from collections.abc import Mapping

import pandas as pd
import SimpleITK as sitk

from otosynth.metrics import (
    mean_dice,
    score_class_map,
    score_cochlea,
    score_microct,
    score_segmentation_of_synthetic,
)
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
        ``classmap`` and, where the method gives one, ``microct``; optionally ``segmented``, the
        classes that a segmentor trained on real micro-CT gives the synthetic one. Its scores
        are on the micro-CT grid only.
    truth
        ``classmap``, ``microct`` and ``mask`` on the micro-CT grid; optionally ``cochlea``, the
        region at the cochlea. Its scores are on that grid only.
    own_grid
        The first three on the prediction's grid; empty where that is the micro-CT grid.
    window
        Micro-CT intensities that mean 0 and 1.

    Returns
    -------
    DataFrame
        Long: grid (microct or own), class, metric, value; class is empty for scores of
        all classes together.
    """
    brought = {
        name: onto_grid(image, truth["mask"], interpolate=name == "microct")
        for name, image in predicted.items()
    }
    scores = _score_on_grid(brought, truth, window)
    scores.loc[len(scores)] = ["", "mean_dice", mean_dice(scores)]
    tables = [scores.assign(grid="microct")]
    if "cochlea" in truth:
        tables.append(_score_cochlea(brought, truth).assign(grid="microct"))
    if "segmented" in brought:
        tables.append(_score_segmented(brought, truth).assign(grid="microct"))
    if own_grid:
        tables.append(_score_on_grid(predicted, own_grid, window).assign(grid="own"))
    return pd.concat(tables)[["grid", "class", "metric", "value"]]


def _score_on_grid(
    predicted: Mapping[str, sitk.Image],
    truth: Mapping[str, sitk.Image],
    window: tuple[float, float],
) -> pd.DataFrame:
    mask, spacing_mm = array_of(truth["mask"]) > 0, spacing_zyx(truth["mask"])
    classmap = array_of(truth["classmap"])
    scores = score_class_map(classmap, array_of(predicted["classmap"]), mask, spacing_mm)
    if "microct" not in predicted:
        return scores
    volumes = array_of(truth["microct"]), array_of(predicted["microct"])
    of_microct = score_microct(*volumes, classmap, mask, window, spacing_mm)
    return pd.concat([scores, of_microct], ignore_index=True)


def _score_cochlea(
    predicted: Mapping[str, sitk.Image], truth: Mapping[str, sitk.Image]
) -> pd.DataFrame:
    return score_cochlea(
        array_of(truth["classmap"]),
        array_of(predicted["classmap"]),
        array_of(truth["mask"]) > 0,
        array_of(truth["cochlea"]) > 0,
    )


def _score_segmented(
    predicted: Mapping[str, sitk.Image], truth: Mapping[str, sitk.Image]
) -> pd.DataFrame:
    return score_segmentation_of_synthetic(
        array_of(truth["classmap"]),
        array_of(predicted["segmented"]),
        array_of(truth["mask"]) > 0,
        spacing_zyx(truth["mask"]),
    )
