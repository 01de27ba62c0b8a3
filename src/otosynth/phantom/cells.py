"""Air cells of the temporal bone: irregular bubbles parted by bony septa, lined by mucosa.

The cells are the regions of a jittered lattice of seeds nearest to each seed (Voronoi); their
coordinates are bent by a smooth field so that walls are curved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from otosynth.phantom.shapes import Distances, Points
from otosynth.phantom.variation import Variation, Waves, draw_waves

_EXTENT_MM = 26.0
_JITTER = 0.42
_MISSING_SEEDS = 0.15
_REACH_MM = 5.0
_WHOLE_EAR_MM = 4.0
_LEAST_ROOM_MM = 0.6

# Directions in which a right ear is pneumatised, and how far from the middle of the labyrinth
# the cells begin (mm) in an ear with the fullest pneumatisation.
_ZONES = (
    ((-0.70, 0.70, 0.10), 3.6),  # mastoid
    ((-0.70, 0.10, 0.70), 4.2),  # above the middle ear
    ((-0.30, 0.30, -0.90), 4.4),  # below the labyrinth
    ((0.10, -0.90, -0.40), 5.5),  # round the auditory tube and carotid canal
    ((0.60, -0.60, 0.50), 6.5),  # petrous apex
)
_LABYRINTH_MIDDLE = (-1.3, 1.6, 0.6)


@dataclass(frozen=True)
class Depth:
    """Where points lie in the cells; every array is (n,).

    ``walls_mm`` is the distance to the two nearest walls, midway between two seeds; ``hollow``
    and ``filled`` say what the cell is.
    """

    walls_mm: tuple[Distances, Distances]
    hollow: npt.NDArray[np.bool_]
    filled: npt.NDArray[np.bool_]


def rounded_minimum(distances: Sequence[Distances], radius_mm: float) -> Distances:
    """Depth (n,) below several walls whose corners are rounded, at most the radius, mm."""
    missing = sum(np.maximum(radius_mm - distance, 0.0) ** 2 for distance in distances)
    return radius_mm - np.sqrt(missing)


@dataclass(frozen=True)
class AirCells:
    """Seeds (k, 3) of all cells, mm; which of them are hollow; which of those are filled."""

    seeds: npt.NDArray[np.float32]
    hollow: npt.NDArray[np.bool_]
    filled: npt.NDArray[np.bool_]
    bend: Waves

    def locate(self, points: Points) -> Depth:
        """Place points (3, n), mm, in the cells."""
        count = points.shape[1]
        bent = points + self.bend.at(points)
        low = bent.min(axis=1) - _REACH_MM
        high = bent.max(axis=1) + _REACH_MM
        candidates = np.flatnonzero(((self.seeds > low) & (self.seeds < high)).all(axis=1))
        first, second, third = (np.full(count, _REACH_MM, dtype=np.float32) for _ in range(3))
        cell = np.full(count, -1, dtype=np.int64)
        for index in candidates:
            x, y, z = (float(k) for k in self.seeds[index])
            distance = np.sqrt((bent[0] - x) ** 2 + (bent[1] - y) ** 2 + (bent[2] - z) ** 2)
            nearer = distance < first
            np.minimum(third, np.maximum(second, distance), out=third)
            np.minimum(second, np.maximum(first, distance), out=second)
            np.minimum(first, distance, out=first)
            cell[nearer] = index
        known = cell >= 0
        walls = (0.5 * (second - first), 0.5 * (third - first))
        return Depth(walls, known & self.hollow[cell], known & self.filled[cell])

    def without_cramped(self, room_mm: Distances) -> "AirCells":
        """Close the cells whose seeds (k,) have no room for air between other structures."""
        return replace(self, hollow=self.hollow & (room_mm > _LEAST_ROOM_MM))


def _zone_depth(seeds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far seeds (k, 3) lie within the fullest pneumatised zone, mm."""
    offset = seeds - np.array(_LABYRINTH_MIDDLE)
    depths = []
    for direction, start in _ZONES:
        depths.append((offset * np.array(direction)).sum(axis=1) - start)
    return np.max(depths, axis=0)


def draw_cells(variation: Variation) -> AirCells:
    """Draw the air cells of an ear; the more pneumatised, the nearer they come to the cochlea."""
    rng = np.random.default_rng(variation.cell_seed)
    spacing = variation.cell_spacing_mm
    ticks = np.arange(-_EXTENT_MM, _EXTENT_MM, spacing)
    lattice = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    seeds = lattice + rng.uniform(-_JITTER, _JITTER, size=lattice.shape) * spacing
    seeds = seeds[rng.uniform(size=len(seeds)) > _MISSING_SEEDS]
    threshold = (1.0 - variation.pneumatisation) * _WHOLE_EAR_MM
    hollow = _zone_depth(seeds) + rng.normal(0.0, 0.5, size=len(seeds)) > threshold
    filled = rng.uniform(size=len(seeds)) < variation.filled_cells
    bend = draw_waves(rng, 8, (2.5, 5.0), 3, 0.3)
    return AirCells(seeds.astype(np.float32), hollow, filled, bend)
