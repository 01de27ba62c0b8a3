"""The mean of an ensemble's predictions, and how far its members differ."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import cast

import numpy as np

from otosynth.calibration import uncertainty
from otosynth.inference import Corner, Ear, Prediction, Predictor, confidence_maps, patches_seen
from otosynth.methods.base import CtPatch, Method, Networks, PatchPrediction
from otosynth.patches import patch_corners
from otosynth.tissues import CLASSES

MapClasses = Callable[[np.ndarray, np.ndarray], np.ndarray]
Advance = Callable[[float], None]


@dataclass(frozen=True)
class EnsemblePrediction:
    """What an ensemble says of an ear (z, y, x), as far as its method says it.

    Attributes
    ----------
    microct, microct_std
        Mean and standard deviation over the members, in the scanner's unit; the second is None
        for a single member.
    classmap
        uint8: the class with the highest mean probability; of a method that gives a micro-CT
        alone, the class map of the mean micro-CT.
    uncertainty
        Entropy of the mean probabilities, or of the members' votes for each class, over log 3: 0
        to 1. None for a single member that gives no probabilities.
    """

    microct: np.ndarray | None
    microct_std: np.ndarray | None
    classmap: np.ndarray
    uncertainty: np.ndarray | None


def patches_to_see(ear: Ear, method: Method, size: int) -> int:
    """Return how many patches a member's networks will see."""
    return patches_seen(method.settings.prediction, ear.ct.shape, size)


def predict_ensemble(
    ear: Ear,
    predictors: Iterator[Predictor],
    map_classes: MapClasses,
    priors: Iterable[Sequence[np.ndarray]] | None = None,
    temperature: float = 1.0,
) -> EnsemblePrediction:
    """Predict an ear by each member in turn, one at a time in memory.

    Parameters
    ----------
    ear
        CT (HU) and mask on the training grid, seen from the working side.
    predictors
        The members.
    map_classes
        Makes a class map of (micro-CT, mask) for a method that gives none.
    priors
        Each member's prior of the ear; None: it has none.
    temperature
        Of the confidence in the mean probabilities.
    """
    sums = _Sums(map_classes, ear.mask)
    of_members = zip(predictors, priors, strict=True) if priors else zip(predictors, repeat(()))
    for predictor, prior in of_members:
        corners: Sequence[Corner] = patch_corners(ear.ct.shape, predictor.size)
        sums.add(predictor.predict(replace(ear, prior=prior), corners, map_classes))
    return sums.mean(temperature)


@dataclass
class _Sums:
    """Sums over the members."""

    map_classes: MapClasses
    mask: np.ndarray
    members: int = 0
    gives_probabilities: bool = False
    microct: np.ndarray | None = None
    # Sum of squared differences from the mean so far (Welford 1962): no large numbers cancel.
    squares: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    def add(self, member: Prediction) -> None:
        self.members += 1
        self.gives_probabilities = member.probabilities is not None
        shares = member.probabilities
        if shares is None:
            shares = np.stack([(member.classmap == c) for c in range(len(CLASSES))])
            shares = shares.astype(np.float32)
        if self.probabilities is None:
            self.probabilities = shares
        else:
            self.probabilities += shares
        if member.microct is not None:
            self._add_microct(member.microct)

    def _add_microct(self, microct: np.ndarray) -> None:
        if self.microct is None:
            self.microct, self.squares = microct.copy(), np.zeros_like(microct)
            return
        change = microct - self.microct
        self.microct += change / self.members
        self.squares += change * (microct - self.microct)

    def mean(self, temperature: float) -> EnsemblePrediction:
        """Return the ensemble's prediction; the sums are then used up."""
        assert self.probabilities is not None, "there is a member"
        # In place: a copy would be the most that a prediction ever holds.
        self.probabilities /= self.members
        mean = self.probabilities
        several = self.members > 1
        deviation = None
        if several and self.squares is not None:
            deviation = np.sqrt(self.squares / (self.members - 1))
        spread = None
        if self.gives_probabilities:
            _, spread = confidence_maps(mean, temperature)
        elif several:
            spread = uncertainty(mean)
        return EnsemblePrediction(self.microct, deviation, self._class_map(mean), spread)

    def _class_map(self, mean: np.ndarray) -> np.ndarray:
        if self.gives_probabilities:
            return mean.argmax(axis=0).astype(np.uint8)
        assert self.microct is not None, "a method gives a micro-CT or classes"
        return self.map_classes(self.microct, self.mask > 0)


class _Watched:
    """What of a method a prediction uses, telling how many patches it has seen."""

    def __init__(self, method: Method, advance: Advance) -> None:
        self.settings = method.settings
        self._method, self._advance = method, advance

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        predicted = self._method.predict(networks, patch)
        self._advance(float(len(patch.ct)))
        return predicted


def watched(method: Method, advance: Advance) -> Method:
    """Return a method that calls ``advance`` with the number of patches it has just seen.

    It can predict, and nothing else.
    """
    return cast(Method, _Watched(method, advance))
