"""Whole-volume prediction, patch by patch (thesis III.1; method 5 and 8)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from otosynth.methods.base import Method, Networks
from otosynth.normalisation import Normalisation
from otosynth.training.arithmetic import Arithmetic


@dataclass(frozen=True)
class Prediction:
    """A predicted volume pair (z, y, x): micro-CT in the scanner's unit, and classes (uint8)."""

    microct: np.ndarray
    classmap: np.ndarray


def predict_volume(
    method: Method,
    networks: Networks,
    ct: np.ndarray,
    mask: np.ndarray,
    corners: Sequence[tuple[int, int, int]],
    size: int,
    normalisation: Normalisation,
    arithmetic: Arithmetic,
    map_classes: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Prediction:
    """Predict a whole CT from patches that do not overlap.

    Parameters
    ----------
    method, networks
        The method and its networks of the selected epoch, in evaluation mode.
    ct, mask
        CT in HU and field-of-view mask (z, y, x), seen from the working side.
    corners, size
        The testing patch table, voxels. Where a shifted last patch overlaps the one before,
        the earlier keeps its voxels.
    normalisation, arithmetic
        The group's windows, and device and precision of the training.
    map_classes
        Makes the class map from (micro-CT, mask) for a method that gives none.
    """
    microct = np.full(ct.shape, -1, np.float32)
    classes = np.zeros(ct.shape, np.uint8)
    with torch.inference_mode():
        # Backwards, so that an earlier patch overwrites a later one that overlaps it.
        for corner in reversed(corners):
            at = tuple(slice(first, first + size) for first in corner)
            patch = torch.from_numpy(normalisation.ct.normalise(ct[at])[None, None])
            with arithmetic.autocast():
                predicted = method.predict(networks, arithmetic.place(patch))
            microct[at] = predicted.microct[0].cpu().numpy()
            if predicted.classes is not None:
                classes[at] = predicted.classes[0].cpu().numpy()
    microct = normalisation.microct.restore(microct)
    if not method.gives_class_map:
        classes = map_classes(microct, mask > 0)
    return Prediction(microct, classes)
