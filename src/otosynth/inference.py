"""Whole-volume prediction, patch by patch (thesis III.1; method 5 and 8)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from otosynth.methods.base import CtPatch, Method, Networks
from otosynth.normalisation import Normalisation
from otosynth.patches import patch_corners
from otosynth.priors import prior_channels
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic

Corner = tuple[int, int, int]
# Width of the Gaussian that blends overlapping patches, as a share of their edge (nnU-Net's).
BLENDING_SIGMA = 1 / 8


@dataclass(frozen=True)
class Ear:
    """What is predicted from, seen from the working side (z, y, x).

    ``ct`` in HU; ``mask`` of both fields of view; ``prior`` as :mod:`otosynth.priors` has it.
    """

    ct: np.ndarray
    mask: np.ndarray
    prior: Sequence[np.ndarray] = field(default=())


@dataclass(frozen=True)
class Prediction:
    """A predicted ear (z, y, x), as far as the method says it.

    ``microct`` in the scanner's unit, ``classmap`` uint8; ``probabilities`` (class, z, y, x),
    float32, of a method with a class map.
    """

    microct: np.ndarray | None
    classmap: np.ndarray
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Predictor:
    """A method's networks of the selected epoch, in evaluation mode, and how they are used.

    Attributes
    ----------
    normalisation, arithmetic
        The group's windows, and device and precision of the training.
    size
        Edge of a patch (voxels).
    seed
        Decides the dropout of ``settings.prediction.samples``.
    """

    method: Method
    networks: Networks
    normalisation: Normalisation
    arithmetic: Arithmetic
    size: int
    seed: int = 0

    def predict(
        self,
        ear: Ear,
        corners: Sequence[Corner],
        map_classes: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> Prediction:
        """Predict a whole ear.

        Parameters
        ----------
        corners
            The testing patch table, voxels: patches that do not overlap. With
            ``settings.prediction.overlap`` other patches are laid.
        map_classes
            Makes the class map from (micro-CT, mask) for a method that gives none.
        """
        overlap = self.method.settings.prediction.overlap
        if overlap:
            corners = patch_corners(ear.ct.shape, self.size, round(overlap * self.size))
        collected = _Blended(self.size) if overlap else _Placed(corners)
        with torch.inference_mode(), self._dropout():
            for number, corner in enumerate(corners):
                at = tuple(slice(first, first + self.size) for first in corner)
                collected.add(at, self._predict_patch(ear, at, number), ear.ct.shape)
        return self._assemble(ear, collected, map_classes)

    def _predict_patch(self, ear: Ear, at: tuple[slice, ...], number: int) -> dict[str, np.ndarray]:
        """Return a patch's micro-CT in [-1, 1] and probabilities, each (channel, z, y, x)."""
        samples = self.method.settings.prediction.samples
        ct = self._place(self.normalisation.ct.normalise(ear.ct[at])[None])
        channels = prior_channels([volume[at] for volume in ear.prior], self.normalisation)
        prior = None if channels is None else self._place(channels)
        inside = self._place((ear.mask[at] > 0).astype(np.float32)[None])
        patch = CtPatch(ct, inside, prior)
        sums: dict[str, np.ndarray] = {}
        for sample in range(max(samples, 1)):
            if samples:
                torch.manual_seed(derive_seed(self.seed, "sample", number, sample))
            with self.arithmetic.for_networks():
                predicted = self.method.predict(self.networks, patch)
            for name, tensor in vars(predicted).items():
                if tensor is not None:
                    values = tensor[0].float().cpu().numpy()
                    sums[name] = sums[name] + values if name in sums else values
        return {name: total / max(samples, 1) for name, total in sums.items()}

    def _place(self, channels: np.ndarray) -> torch.Tensor:
        return self.arithmetic.place(torch.from_numpy(np.ascontiguousarray(channels))[None])

    @contextmanager
    def _dropout(self) -> Iterator[None]:
        """Switch dropout on for Monte-Carlo samples, and off again (method 6)."""
        wanted = self.method.settings.prediction.samples > 0
        layers = [
            module for network in self.networks.values() for module in network.modules()
            if isinstance(module, nn.Dropout)
        ]  # fmt: skip
        for layer in layers:
            layer.train(wanted)
        try:
            yield
        finally:
            for layer in layers:
                layer.eval()

    def _assemble(
        self,
        ear: Ear,
        collected: "_Placed | _Blended",
        map_classes: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> Prediction:
        volumes = collected.volumes()
        microct, probabilities = volumes.get("microct"), volumes.get("probabilities")
        if microct is not None:
            microct = self.normalisation.microct.restore(microct[0])
        if probabilities is not None:
            classmap = probabilities.argmax(axis=0).astype(np.uint8)
        else:
            assert microct is not None, "a method gives a micro-CT or classes"
            classmap = map_classes(microct, ear.mask > 0)
        return Prediction(microct, classmap, probabilities)


class _Placed:
    """Patches side by side: where a shifted last one overlaps, the earlier keeps its voxels."""

    def __init__(self, corners: Sequence[Corner]) -> None:
        self._volumes: dict[str, np.ndarray] = {}
        self._done: np.ndarray | None = None

    def add(
        self, at: tuple[slice, ...], patch: dict[str, np.ndarray], shape: tuple[int, ...]
    ) -> None:
        if self._done is None:
            self._done = np.zeros(shape, bool)
        new = ~self._done[at]
        for name, values in patch.items():
            if name not in self._volumes:
                self._volumes[name] = _empty(name, values.shape[0], shape)
            self._volumes[name][(slice(None), *at)][:, new] = values[:, new]
        self._done[at] = True

    def volumes(self) -> dict[str, np.ndarray]:
        return self._volumes


class _Blended:
    """Overlapping patches, each weighted by a Gaussian round its middle."""

    def __init__(self, size: int) -> None:
        offset = (np.arange(size, dtype=np.float32) - (size - 1) / 2) / (BLENDING_SIGMA * size)
        along = np.exp(-(offset**2) / 2)
        # A floor, so that no voxel's weight vanishes in float32.
        self._weight = np.maximum(
            along[:, None, None] * along[None, :, None] * along[None, None, :], 1e-4
        )
        self._sums: dict[str, np.ndarray] = {}
        self._total: np.ndarray | None = None

    def add(
        self, at: tuple[slice, ...], patch: dict[str, np.ndarray], shape: tuple[int, ...]
    ) -> None:
        if self._total is None:
            self._total = np.zeros(shape, np.float32)
        for name, values in patch.items():
            if name not in self._sums:
                self._sums[name] = np.zeros((values.shape[0], *shape), np.float32)
            self._sums[name][(slice(None), *at)] += values * self._weight
        self._total[at] += self._weight

    def volumes(self) -> dict[str, np.ndarray]:
        assert self._total is not None, "there is at least one patch"
        for total in self._sums.values():
            total /= self._total
        return self._sums


def _empty(name: str, channels: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return air: -1 of a micro-CT, the first of the classes."""
    volume = np.zeros((channels, *shape), np.float32)
    if name == "microct":
        volume[:] = -1
    else:
        volume[CLASSES.index("air")] = 1
    return volume
