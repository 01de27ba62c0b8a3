"""Whole-volume prediction, patch by patch (thesis III.1; method 5 and 8)."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import torch
from torch import nn

from otosynth.calibration import tempered, uncertainty
from otosynth.configuration.methods.base import MethodSettings, PredictionSettings
from otosynth.heap import give_back_free_pages, keep_freed_memory, map_large_blocks
from otosynth.methods.base import CtPatch, Method, Networks, PatchPrediction
from otosynth.normalisation import Normalisation
from otosynth.patches import box_corners
from otosynth.priors import prior_channels
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic
from otosynth.volumes.mapping import let_go

Corner = tuple[int, int, int]
Edges = tuple[int, int, int]
Place = tuple[slice, slice, slice]
# Patches that the networks see at once have at most so many voxels in all: more cost memory
# without being faster.
VOXELS_AT_ONCE = 32**3
# Makes the arrays for whole volumes, float32, of some shape.
NewVolume = Callable[[tuple[int, ...]], np.ndarray]
# Width of the Gaussian that blends overlapping patches, as a share of their edge (nnU-Net's).
BLENDING_SIGMA = 1 / 8

# Axes along which a patch (batch, channel, z, y, x) is mirrored: first none, then all others.
NOT_MIRRORED: tuple[int, ...] = ()
MIRRORED = tuple(
    tuple(axis for axis, chosen in zip((2, 3, 4), flips, strict=True) if chosen)
    for flips in product((False, True), repeat=3)
)

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


def patch_edges(
    settings: PredictionSettings, shape: Sequence[int], size: int
) -> tuple[int, int, int]:
    """Return the edges (z, y, x) of the patches by which a volume is predicted, voxels.

    Parameters
    ----------
    shape
        Of the volume (z, y, x).
    size
        Edge of the patches of training.
    """
    if settings.edge is None:
        return size, size, size
    z, y, x = (min(settings.edge, length) for length in shape)
    return z, y, x


def patches_seen(settings: PredictionSettings, shape: Sequence[int], size: int) -> int:
    """Return how many patches the networks see of a volume; parameters as ``patch_edges``."""
    corners = box_corners(shape, patch_edges(settings, shape, size), settings.overlap)
    return len(corners) * max(settings.samples, 1) * len(views(settings))


def views(settings: PredictionSettings) -> tuple[tuple[int, ...], ...]:
    """Return along which axes a patch is mirrored, one tuple for each time it is seen."""
    return MIRRORED if settings.flips else (NOT_MIRRORED,)


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

        From here on the process's large blocks of memory are mapped, or kept where patches are as
        large as ``settings.prediction.edge`` says (:mod:`otosynth.heap`).

        Parameters
        ----------
        corners
            The testing patch table, voxels: patches that do not overlap. With the overlap or
            the edge of ``settings.prediction`` other patches are laid.
        map_classes
            Makes the class map from (micro-CT, mask) for a method that gives none.
        """
        wanted, shape = self.method.settings.prediction, ear.ct.shape
        edges = patch_edges(wanted, shape, self.size)
        if wanted.edge is None:
            map_large_blocks()
        else:
            # Getting the pages of so large tensors anew would take a third of the time.
            keep_freed_memory()
        if wanted.overlap or wanted.edge is not None:
            corners = box_corners(shape, edges, wanted.overlap)
        collected: _Blended | _Placed
        if wanted.overlap:
            collected = _Blended(shape, edges, self.new_volume)
        else:
            collected = _Placed(shape, self.new_volume)
        order = collected.order(len(corners))
        layer = row = None
        with torch.inference_mode(), self._dropout():
            at_once = self._at_once(edges)
            for first in range(0, len(order), at_once):
                numbers = order[first : first + at_once]
                places = [_box(corners[number], edges) for number in numbers]
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

    def _at_once(self, edges: Edges) -> int:
        """Return how many patches of some edges the networks see at once."""
        if self.method.settings.prediction.samples:
            # Each patch has a dropout of its own.
            return 1
        if self.arithmetic.device.type == "cuda":
            # Its norms and convolutions are made for one patch, as in training.
            return 1
        return max(1, VOXELS_AT_ONCE // math.prod(edges))

    def _predict_patches(
        self, ear: Ear, places: Sequence[Place], number: int
    ) -> dict[str, np.ndarray]:
        """Return micro-CTs in [-1, 1] and probabilities, each (patch, channel, z, y, x)."""
        settings = self.method.settings.prediction
        patches, mirrored = self._read(ear, places), views(settings)
        sums: dict[str, np.ndarray] = {}
        for sample in range(max(settings.samples, 1)):
            if settings.samples:
                torch.manual_seed(derive_seed(self.seed, "sample", number, sample))
            for axes in mirrored:
                for name, values in self._predict_mirrored(patches, axes).items():
                    sums[name] = sums[name] + values if name in sums else values
        times = max(settings.samples, 1) * len(mirrored)
        if times > 1:
            sums = {name: total / times for name, total in sums.items()}
        z, y, x = (axis.stop - axis.start for axis in places[0])
        return {name: values[..., :z, :y, :x] for name, values in sums.items()}

    def _predict_mirrored(self, patches: CtPatch, axes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Predict patches from their mirror images, and mirror the result back."""
        if axes:
            prior = None if patches.prior is None else patches.prior.flip(axes)
            patches = CtPatch(patches.ct.flip(axes), patches.mask.flip(axes), prior)
        with self.arithmetic.for_networks():
            predicted: PatchPrediction = self.method.predict(self.networks, patches)
        tensors = {name: t.float() for name, t in vars(predicted).items() if t is not None}
        return {name: (t.flip(axes) if axes else t).cpu().numpy() for name, t in tensors.items()}

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
        return self.arithmetic.place(torch.from_numpy(self._filled_up(np.stack(patches))))

    def _filled_up(self, patches: np.ndarray) -> np.ndarray:
        """Repeat the last voxels of patches along each axis, up to what the networks take."""
        missing = [network_edge(self.method.settings, edge) - edge for edge in patches.shape[2:]]
        if not any(missing):
            return patches
        return np.pad(patches, [(0, 0), (0, 0), *((0, n) for n in missing)], mode="edge")

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


def network_edge(settings: MethodSettings, edge: int) -> int:
    """Return the smallest edge that a method's networks take and that is not below another."""
    wanted, multiple = max(edge, settings.smallest_patch), settings.patch_multiple
    return -(-wanted // multiple) * multiple


def confidence_maps(
    probabilities: np.ndarray, temperature: float, new_volume: NewVolume = in_memory
) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence in each voxel's class, and its uncertainty (z, y, x).

    Plane by plane, so that of mapped volumes little is in memory.

    Parameters
    ----------
    probabilities
        Of a prediction (class, z, y, x).
    temperature
        As :func:`otosynth.calibration.fit_temperature` gives.
    """
    confidence, entropy = (new_volume(probabilities.shape[1:]) for _ in range(2))
    for z in range(len(confidence)):
        shares = tempered(np.asarray(probabilities[:, z]), temperature)
        confidence[z], entropy[z] = shares.max(axis=0), uncertainty(shares)
        for plane in (*probabilities[:, z], confidence[z], entropy[z]):
            let_go(plane)
    return confidence, entropy


def _box(corner: Corner, edges: Edges) -> Place:
    z, y, x = (slice(first, first + edge) for first, edge in zip(corner, edges, strict=True))
    return z, y, x


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

    def __init__(self, shape: tuple[int, ...], edges: Edges, new_volume: NewVolume) -> None:
        z, y, x = map(_weight_along, edges)
        # A floor, so that no voxel's weight vanishes in float32.
        self._weight = np.maximum(z[:, None, None] * y[None, :, None] * x[None, None, :], 1e-4)
        self._shape, self._new_volume = shape, new_volume
        self.parts: dict[str, np.ndarray] = {}
        self._total = np.zeros((edges[0], *shape[1:]), np.float32)
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


def _weight_along(edge: int) -> np.ndarray:
    """Return the Gaussian that weighs a patch's voxels along an axis."""
    offset = (np.arange(edge, dtype=np.float32) - (edge - 1) / 2) / (BLENDING_SIGMA * edge)
    weight: np.ndarray = np.exp(-(offset**2) / 2)
    return weight


def _fill(volume: np.ndarray, values: Sequence[float]) -> None:
    """Fill each channel with its value."""
    for channel, value in zip(volume, values, strict=True):
        for plane in channel:
            plane[:] = value
            let_go(plane)
