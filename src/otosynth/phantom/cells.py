"""Air cells of the temporal bone: a branching system of bubbles parted by thin bony septa.

The cells are the regions of a jittered lattice of seeds nearest to each seed (Voronoi); their
coordinates are bent by a smooth field so that walls are curved. Every hollow cell opens into its
nearest hollow neighbour on the way to the antrum, so the cells form trees as in the mastoid.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from otosynth.phantom.middle_ear import ANTRUM
from otosynth.phantom.shapes import Distances, Points
from otosynth.phantom.variation import Variation
from otosynth.phantom.waves import Waves, draw_waves

_EXTENT_MM = 26.0
_JITTER = 0.42
_MISSING_SEEDS = 0.15
_REACH_MM = 5.0
_WHOLE_EAR_MM = 4.0
_LEAST_ROOM_MM = 0.4
# Half the width of the opening between two cells, as a share of the cells' spacing.
_OPENING = 0.22
_NEIGHBOURS = 12

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

    ``walls_mm`` is the distance to the two nearest walls, midway between two seeds; ``opening_mm``
    the depth within the opening through the nearest wall, negative outside it; ``hollow`` and
    ``filled`` say what the cell is, ``beside_hollow`` whether the cell beyond that wall is hollow.
    """

    walls_mm: tuple[Distances, Distances]
    opening_mm: Distances
    hollow: npt.NDArray[np.bool_]
    filled: npt.NDArray[np.bool_]
    beside_hollow: npt.NDArray[np.bool_]


def rounded_minimum(distances: Sequence[Distances], radius_mm: float) -> Distances:
    """Depth (n,) below several walls whose corners are rounded, at most the radius, mm."""
    missing = sum(np.maximum(radius_mm - distance, 0.0) ** 2 for distance in distances)
    return radius_mm - np.sqrt(missing)


@dataclass(frozen=True)
class AirCells:
    """Seeds (k, 3) of all cells, mm; which of them are hollow; which of those are filled.

    ``towards_antrum`` (k,) is the cell that a hollow cell opens into; -1 for none.
    """

    seeds: npt.NDArray[np.float64]
    hollow: npt.NDArray[np.bool_]
    filled: npt.NDArray[np.bool_]
    towards_antrum: npt.NDArray[np.int64]
    opening_mm: float
    bend: Waves

    def locate(self, bent_points: Points) -> Depth:
        """Place points (3, n), mm, that the cells' bend has moved, in the cells."""
        bent = bent_points.T
        distances, cells = self._tree.query(bent, k=3)
        first, second, third = distances.T.astype(np.float32)
        own, next_ = cells[:, 0], cells[:, 1]
        linked = (self.towards_antrum[own] == next_) | (self.towards_antrum[next_] == own)
        opening = np.full(len(bent), -_REACH_MM, dtype=np.float32)
        at = np.flatnonzero(linked & self.hollow[own] & self.hollow[next_])
        opening[at] = self.opening_mm - self._off_axis(bent[at], own[at], next_[at])
        walls = (0.5 * (second - first), 0.5 * (third - first))
        return Depth(walls, opening, self.hollow[own], self.filled[own], self.hollow[next_])

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.seeds)

    def _off_axis(
        self, points: npt.NDArray, own: npt.NDArray, other: npt.NDArray
    ) -> npt.NDArray[np.float32]:
        """Distance (n,) of points (n, 3) from the line through two seeds, mm."""
        axis = self.seeds[other] - self.seeds[own]
        axis /= np.sqrt((axis**2).sum(axis=1, keepdims=True))
        offset = points - self.seeds[own]
        along = (offset * axis).sum(axis=1, keepdims=True)
        return np.sqrt(((offset - along * axis) ** 2).sum(axis=1)).astype(np.float32)

    def without_cramped(self, room_mm: Distances) -> "AirCells":
        """Close the cells whose seeds (k,) have no room for air between other structures."""
        hollow = self.hollow & (room_mm > _LEAST_ROOM_MM)
        return replace(self, hollow=hollow, towards_antrum=_towards_antrum(self.seeds, hollow))


def _towards_antrum(
    seeds: npt.NDArray[np.float64], hollow: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return for each cell (k,) the nearest hollow cell that is nearer to the antrum, or -1."""
    parents = np.full(len(seeds), -1, dtype=np.int64)
    cells = np.flatnonzero(hollow)
    if len(cells) <= 1:
        return parents
    remoteness = np.sqrt(((seeds[cells] - ANTRUM) ** 2).sum(axis=1))
    count = min(_NEIGHBOURS, len(cells))
    _, near = cKDTree(seeds[cells]).query(seeds[cells], k=count)
    nearer = remoteness[near] < remoteness[:, None]
    found = nearer.any(axis=1)
    chosen = near[np.arange(len(cells)), nearer.argmax(axis=1)]
    parents[cells[found]] = cells[chosen[found]]
    return parents


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
    hollow = _zone_depth(seeds) + rng.normal(0.0, 0.7, size=len(seeds)) > threshold
    filled = rng.uniform(size=len(seeds)) < variation.filled_cells
    bend = draw_waves(rng, 8, (2.5, 5.0), 3, 0.3)
    parents = _towards_antrum(seeds, hollow)
    return AirCells(seeds, hollow, filled, parents, _OPENING * spacing, bend)
