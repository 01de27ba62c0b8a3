"""Whole-volume prediction, patch by patch (thesis III.1; method 5 and 8)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from otosynth.heap import give_back_free_pages, map_large_blocks
from otosynth.methods.base import CtPatch, Method, Networks
from otosynth.normalisation import Normalisation
from otosynth.patches import patch_corners
from otosynth.priors import prior_channels
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic
from otosynth.volumes.mapping import let_go

Corner = tuple[int, int, int]
Place = tuple[slice, slice, slice]
# Patches that the networks see at once have at most so many voxels in all: more cost memory
# without being faster.
VOXELS_AT_ONCE = 32**3
# Makes the arrays for whole volumes, float32, of some shape.
NewVolume = Callable[[tuple[int, ...]], np.ndarray]
# Width of the Gaussian that blends overlapping patches, as a share of their edge (nnU-Net's).
BLENDING_SIGMA = 1 / 8

# Air, by channel, of what is predicted: the lowest of a micro-CT in [-1, 1], the first class.
AIR_OF = {"microct": [-1.0], "probabilities": [float(name == "air") for name in CLASSES]}


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


def in_memory(shape: tuple[int, ...]) -> np.ndarray:
    """Return a new float32 volume."""
    return np.empty(shape, np.float32)


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
    new_volume
        Makes the predicted volumes, (channel, z, y, x) float32: in memory, or e.g. mapped to a
        file where they are larger than it. Beside them only patches are held.
    """

    method: Method
    networks: Networks
    normalisation: Normalisation
    arithmetic: Arithmetic
    size: int
    seed: int = 0
    new_volume: NewVolume = in_memory

    def predict(
        self,
        ear: Ear,
        corners: Sequence[Corner],
        map_classes: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ) -> Prediction:
        """Predict a whole ear.

        From here on the process's large blocks of memory are mapped (:mod:`otosynth.heap`).

        Parameters
        ----------
        corners
            The testing patch table, voxels: patches that do not overlap. With
            ``settings.prediction.overlap`` other patches are laid.
        map_classes
            Makes the class map from (micro-CT, mask) for a method that gives none.
        """
        map_large_blocks()
        overlap = self.method.settings.prediction.overlap
        collected: _Blended | _Placed
        if overlap:
            corners = patch_corners(ear.ct.shape, self.size, round(overlap * self.size))
            collected = _Blended(ear.ct.shape, self.size, self.new_volume)
        else:
            collected = _Placed(ear.ct.shape, self.new_volume)
        order = collected.order(len(corners))
        layer = row = None
        with torch.inference_mode(), self._dropout():
            for first in range(0, len(order), self._at_once()):
                numbers = order[first : first + self._at_once()]
                places = [_cube(corners[number], self.size) for number in numbers]
                if places[0][0] != layer:
                    layer = places[0][0]
                    for predicted in collected.parts.values():
                        let_go(predicted)
                if places[0][1] != row:
                    row = places[0][1]
                    give_back_free_pages()
                patches = self._predict_patches(ear, places, numbers[0])
                for k, at in enumerate(places):
                    collected.add(at, {name: values[k] for name, values in patches.items()})
        return self._assemble(ear, collected, map_classes)

    def _at_once(self) -> int:
        """Return how many patches the networks see at once."""
        if self.method.settings.prediction.samples:
            # Each patch has a dropout of its own.
            return 1
        if self.arithmetic.device.type == "cuda":
            # Its norms and convolutions are made for one patch, as in training.
            return 1
        return max(1, VOXELS_AT_ONCE // self.size**3)

    def _predict_patches(
        self, ear: Ear, places: Sequence[Place], number: int
    ) -> dict[str, np.ndarray]:
        """Return micro-CTs in [-1, 1] and probabilities, each (patch, channel, z, y, x)."""
        samples = self.method.settings.prediction.samples
        patches = self._read(ear, places)
        sums: dict[str, np.ndarray] = {}
        for sample in range(max(samples, 1)):
            if samples:
                torch.manual_seed(derive_seed(self.seed, "sample", number, sample))
            with self.arithmetic.for_networks():
                predicted = self.method.predict(self.networks, patches)
            for name, tensor in vars(predicted).items():
                if tensor is not None:
                    values = tensor.float().cpu().numpy()
                    sums[name] = sums[name] + values if name in sums else values
        return {name: total / samples for name, total in sums.items()} if samples else sums

    def _read(self, ear: Ear, places: Sequence[Place]) -> CtPatch:
        ct = [self.normalisation.ct.normalise(ear.ct[at])[None] for at in places]
        inside = [(ear.mask[at] > 0).astype(np.float32)[None] for at in places]
        priors = [
            prior_channels([volume[at] for volume in ear.prior], self.normalisation)
            for at in places
        ]
        for volume in (ear.ct, ear.mask, *ear.prior):
            let_go(volume)
        known = [prior for prior in priors if prior is not None]
        return CtPatch(self._place(ct), self._place(inside), self._place(known) if known else None)

    def _place(self, patches: Sequence[np.ndarray]) -> torch.Tensor:
        return self.arithmetic.place(torch.from_numpy(np.stack(patches)))

    @contextmanager
    def _dropout(self) -> Iterator[None]:
        """Switch dropout on for Monte-Carlo samples, and off again (docs/method.md, section 8)."""
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
            microct = microct[0]
            # Plane by plane, since each step of it would be another volume.
            for plane in microct:
                plane[:] = self.normalisation.microct.restore(plane)
                let_go(plane)
        if probabilities is not None:
            classmap = np.empty(probabilities.shape[1:], np.uint8)
            for z, plane in enumerate(classmap):
                plane[:] = probabilities[:, z].argmax(axis=0)
                for share in probabilities[:, z]:
                    let_go(share)
        else:
            assert microct is not None, "a method gives a micro-CT or classes"
            classmap = map_classes(microct, ear.mask)
        return Prediction(microct, classmap, probabilities)


def _cube(corner: Corner, size: int) -> Place:
    z, y, x = corner
    return slice(z, z + size), slice(y, y + size), slice(x, x + size)


class _Placed:
    """Patches side by side, air between: where a shifted last one overlaps, the earlier counts."""

    def __init__(self, shape: tuple[int, ...], new_volume: NewVolume) -> None:
        self._shape, self._new_volume = shape, new_volume
        self.parts: dict[str, np.ndarray] = {}

    def order(self, patches: int) -> range:
        """Return the order in which patches are added: backwards, the earlier over the later."""
        return range(patches)[::-1]

    def add(self, at: Place, patch: dict[str, np.ndarray]) -> None:
        for name, values in patch.items():
            if name not in self.parts:
                self.parts[name] = self._new_volume((len(values), *self._shape))
                _fill(self.parts[name], AIR_OF[name])
            self.parts[name][(slice(None), *at)] = values

    def volumes(self) -> dict[str, np.ndarray]:
        return self.parts


class _Blended:
    """Overlapping patches, each weighted by a Gaussian round its middle.

    They come by z, so that the sum of weights is kept for the planes of one patch only: planes
    that no further patch reaches are divided by it, and it moves on.
    """

    def __init__(self, shape: tuple[int, ...], size: int, new_volume: NewVolume) -> None:
        offset = (np.arange(size, dtype=np.float32) - (size - 1) / 2) / (BLENDING_SIGMA * size)
        along = np.exp(-(offset**2) / 2)
        # A floor, so that no voxel's weight vanishes in float32.
        self._weight = np.maximum(
            along[:, None, None] * along[None, :, None] * along[None, None, :], 1e-4
        )
        self._shape, self._new_volume = shape, new_volume
        self.parts: dict[str, np.ndarray] = {}
        self._total = np.zeros((size, *shape[1:]), np.float32)
        self._first = 0

    def order(self, patches: int) -> range:
        """Return the order in which patches are added."""
        return range(patches)

    def add(self, at: Place, patch: dict[str, np.ndarray]) -> None:
        self._finish(at[0].start)
        for name, values in patch.items():
            if name not in self.parts:
                self.parts[name] = self._new_volume((len(values), *self._shape))
                _fill(self.parts[name], [0] * len(values))
            self.parts[name][(slice(None), *at)] += values * self._weight
        self._total[:, at[1], at[2]] += self._weight

    def _finish(self, first: int) -> None:
        """Divide the planes before ``first`` by their weights."""
        planes = first - self._first
        if planes == 0:
            return
        for total in self.parts.values():
            total[:, self._first : first] /= self._total[:planes]
        self._total[:-planes] = self._total[planes:].copy()
        self._total[-planes:] = 0
        self._first = first

    def volumes(self) -> dict[str, np.ndarray]:
        self._finish(self._shape[0])
        return self.parts


def _fill(volume: np.ndarray, values: Sequence[float]) -> None:
    """Fill each channel with its value."""
    for channel, value in zip(volume, values, strict=True):
        for plane in channel:
            plane[:] = value
            let_go(plane)
