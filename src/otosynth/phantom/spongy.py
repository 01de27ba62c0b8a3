"""Spongy bone: a matrix of trabeculae with rounded marrow spaces, where there are no air cells.

The spaces are balls round a jittered lattice of seeds, bent by a smooth field; where neighbours
meet they join, as marrow spaces do. Their diameter is what morphometry calls trabecular spacing,
and what is left between them is trabecular thickness.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from otosynth.phantom.shapes import Points
from otosynth.phantom.structures import Labels, Structure
from otosynth.phantom.variation import Variation
from otosynth.phantom.waves import Waves, draw_waves

# The lattice of seeds reaches this far from the middle of the labyrinth, as the air cells do; its
# jitter is a share of the spacing.
_EXTENT_MM = 26.0
_JITTER = 0.3
_RADIUS_SPREAD = 0.12
_BEND_WAVES, _BEND_WAVELENGTHS_MM, _BEND_RMS_MM = 8, (3.0, 6.0), 0.4


@dataclass(frozen=True)
class SpongyBone:
    """Seeds (k, 3) of all marrow spaces and their radii (k,), mm, in bent coordinates.

    ``diploe`` widens or narrows the spaces from place to place.
    """

    seeds: npt.NDArray[np.float64]
    radii_mm: npt.NDArray[np.float32]
    bend: Waves
    diploe: Waves

    def structures(self, points: Points) -> Labels:
        """Trabeculae or marrow (n,) at points (3, n), mm, of the frame of the right ear."""
        distance, nearest = self._tree.query((points + self.bend.at(points)).T)
        radius = self.radii_mm[nearest] * (1.0 + self.diploe.at(points)[0])
        marrow = distance.astype(np.float32) < radius
        return np.where(marrow, Structure.MARROW, Structure.TRABECULAE).astype(np.uint8)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.seeds)


def draw_spongy_bone(variation: Variation) -> SpongyBone:
    """Draw the marrow spaces of an ear."""
    rng = np.random.default_rng(variation.marrow_seed)
    spacing = variation.marrow_spacing_mm
    ticks = np.arange(-_EXTENT_MM, _EXTENT_MM, spacing)
    lattice = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    # Every second layer is shifted by half a step, or rows of spaces would be seen.
    lattice[:, :2] += 0.5 * spacing * (np.rint(lattice[:, 2:] / spacing) % 2)
    seeds = lattice + rng.uniform(-_JITTER, _JITTER, size=lattice.shape) * spacing
    spread = rng.uniform(1.0 - _RADIUS_SPREAD, 1.0 + _RADIUS_SPREAD, size=len(seeds))
    radii = (variation.marrow_radius * spacing * spread).astype(np.float32)
    bend = draw_waves(rng, _BEND_WAVES, _BEND_WAVELENGTHS_MM, 3, _BEND_RMS_MM)
    return SpongyBone(seeds, radii, bend, variation.diploe)
