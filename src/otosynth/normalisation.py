"""Intensities to [-1, 1] and back, from windows that no tested ear has influenced.

docs/method.md, section 5.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from otosynth.errors import InputError
from otosynth.files import write_json
from otosynth.volumes.mapping import let_go

# Steepness of the logarithmic scale: t in [0, 1] becomes log(1 + s t) / log(1 + s).
LOG_STEEPNESS = 99.0
HISTOGRAM_BINS = 65536


@dataclass(frozen=True)
class Window:
    """The intensities that become -1 and 1, and the scale between them."""

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"

    def normalise(self, values: np.ndarray) -> np.ndarray:
        """Map intensities to [-1, 1] (float32); values beyond the window are clipped."""
        t = self.unit(values)
        if self.scale == "log":
            t = np.log1p(LOG_STEEPNESS * t) / np.float32(np.log1p(LOG_STEEPNESS))
        # In place: a large patch is read while a GPU does a step, which takes not much longer.
        t *= 2
        t -= 1
        return t.astype(np.float32, copy=False)

    def restore(self, normalised: np.ndarray) -> np.ndarray:
        """Map [-1, 1] back to intensities (float32): the inverse of ``normalise``."""
        t = (np.asarray(normalised, np.float32) + 1) / 2
        if self.scale == "log":
            t = np.expm1(t * np.float32(np.log1p(LOG_STEEPNESS))) / LOG_STEEPNESS
        return (self.low + t * (self.high - self.low)).astype(np.float32)

    def unit(self, values: np.ndarray) -> np.ndarray:
        """Map intensities linearly to [0, 1] (float32), clipped."""
        t = np.asarray(values, np.float32) - self.low
        t /= self.high - self.low
        return np.clip(t, 0, 1)


@dataclass(frozen=True)
class Normalisation:
    """The two windows of a group and the specimens that decided them."""

    ct: Window
    microct: Window
    training: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(asdict(self), path)

    @classmethod
    def read(cls, path: Path) -> "Normalisation":
        """Read what ``write`` wrote."""
        data = json.loads(path.read_text())
        return cls(Window(**data["ct"]), Window(**data["microct"]), tuple(data["training"]))


def percentiles_of_volumes(
    volumes: Iterable[tuple[np.ndarray, np.ndarray]], percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Percentiles of several volumes together, each inside its mask.

    Every volume is read twice, slice by slice, so the memory needed does not grow with them.

    Parameters
    ----------
    volumes
        Pairs of intensities and mask (z, y, x), usually memory maps.
    percentiles
        Two numbers between 0 and 100.

    Returns
    -------
    tuple of float
        The intensities at both percentiles, to 1/65536 of the range.

    Raises
    ------
    InputError
        If the masks are empty, or both percentiles fall on one intensity.
    """
    pairs = list(volumes)
    ends = [
        (inside.min(), inside.max())
        for volume, mask in pairs
        for inside in _slices_inside(volume, mask)
    ]
    if not ends:
        raise InputError("The training specimens have no voxel inside their masks.")
    low, high = float(min(e[0] for e in ends)), float(max(e[1] for e in ends))
    if low == high:
        raise InputError("The training micro-CTs are constant inside their masks.")
    counts = np.zeros(HISTOGRAM_BINS, np.int64)
    for volume, mask in pairs:
        for inside in _slices_inside(volume, mask):
            counts += np.histogram(inside, HISTOGRAM_BINS, (low, high))[0]
    cumulative = np.cumsum(counts) / counts.sum()
    edges = np.linspace(low, high, HISTOGRAM_BINS + 1)
    first = float(edges[np.searchsorted(cumulative, percentiles[0] / 100)])
    last = float(edges[np.searchsorted(cumulative, percentiles[1] / 100) + 1])
    if first >= last:
        raise InputError(
            f"The percentiles {percentiles} of the training micro-CTs are one intensity, {first}: "
            "widen normalisation.microct_percentiles."
        )
    return first, last


def _slices_inside(volume: np.ndarray, mask: np.ndarray) -> Iterable[np.ndarray]:
    for values, inside in zip(volume, mask, strict=True):
        chosen = values[inside > 0]
        if chosen.size:
            yield chosen
        let_go(values)
        let_go(inside)
