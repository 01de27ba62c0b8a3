"""Spongy bone: a matrix of trabeculae with rounded marrow spaces.

The spaces are balls round a jittered lattice of seeds, bent by a smooth field; where neighbours
meet they join, as marrow spaces do. Their diameter is what morphometry calls trabecular spacing,
and what is left between them is trabecular thickness.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from otosynth.phantom.shapes import Distances, Points
from otosynth.phantom.variation import Variation, Waves, draw_waves

_EXTENT_MM = 24.0
_JITTER = 0.3
_RADIUS_SPREAD = 0.12


@dataclass(frozen=True)
class MarrowSpaces:
    """Seeds (k, 3) of all marrow spaces and their radii (k,), mm; ``bend`` curves the lattice."""

    seeds: npt.NDArray[np.float64]
    radii_mm: npt.NDArray[np.float32]
    bend: Waves

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.seeds)

    def depth(self, points: Points, scale: Distances) -> Distances:
        """Depth (n,) of points (3, n) within the nearest space, mm; negative in a trabecula.

        ``scale`` (n,) widens or narrows the spaces there.
        """
        distance, nearest = self._tree.query((points + self.bend.at(points)).T)
        return self.radii_mm[nearest] * scale - distance.astype(np.float32)


def draw_marrow_spaces(variation: Variation) -> MarrowSpaces:
    """Draw the marrow spaces of an ear."""
    rng = np.random.default_rng(variation.marrow_seed)
    spacing = variation.marrow_spacing_mm
    ticks = np.arange(-_EXTENT_MM / 2.0, _EXTENT_MM / 2.0, spacing)
    lattice = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    # Every second layer is shifted by half a step, or rows of spaces would be seen.
    lattice[:, :2] += 0.5 * spacing * (np.rint(lattice[:, 2:] / spacing) % 2)
    seeds = lattice + rng.uniform(-_JITTER, _JITTER, size=lattice.shape) * spacing
    spread = rng.uniform(1.0 - _RADIUS_SPREAD, 1.0 + _RADIUS_SPREAD, size=len(seeds))
    radii = variation.marrow_radius * spacing * spread
    return MarrowSpaces(seeds, radii.astype(np.float32), draw_waves(rng, 8, (3.0, 6.0), 3, 0.4))
