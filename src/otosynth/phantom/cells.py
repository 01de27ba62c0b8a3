"""Air cells of the temporal bone: a branching system of bubbles parted by thin bony septa.

The cells are the regions of a jittered lattice of seeds nearest to each seed (Voronoi); their
coordinates are bent by a smooth field so that walls are curved. A hollow cell opens into a hollow
neighbour on the way to the antrum, so the cells form trees as in the mastoid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from otosynth.phantom.middle_ear import ANTRUM
from otosynth.phantom.shapes import Distances, Points
from otosynth.phantom.variation import Variation
from otosynth.phantom.waves import Waves, draw_waves

LEAST_ROOM_MM = 0.4
"""A cell is hollow only if its seed is so deep in the bone that cells may take."""

# The lattice of seeds reaches beyond the largest field of view; its shares are of the spacing.
_EXTENT_MM = 26.0
_JITTER = 0.42
_MISSING_SEEDS = 0.15
_BEND_WAVES, _BEND_WAVELENGTHS_MM, _BEND_RMS_MM = 8, (2.5, 5.0), 0.3
_UNBENDING_STEPS = 20
_FAR_MM = 5.0
# Half the width of the opening between two cells, as a share of the cells' spacing.
_OPENING = 0.22
_NEIGHBOURS = 12

# How much further out cells begin in an ear without pneumatisation than in the fullest one, and by
# how much the front of the cells is ragged.
_WHOLE_EAR_MM = 4.0
_RAGGED_MM = 0.7
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

# Quiet places, far from any hollow cell, are found beforehand on a grid round the labyrinth: no
# neighbour needs to be searched there.
_QUIET_GRID_MM = 0.5
_QUIET_EXTENT_MM = 15.0

Seeds = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Depth:
    """Where points lie in the cells; every array is (n,).

    ``walls_mm`` is the depth below the surfaces of the two nearest walls, which are midway between
    two seeds and thinnest on the line that joins them; ``opening_mm`` the depth within the opening
    through the nearest wall, negative outside it; ``hollow`` and ``filled`` say what the cell is,
    ``beside_hollow`` whether the cell beyond the nearest wall is hollow.
    """

    walls_mm: tuple[Distances, Distances]
    opening_mm: Distances
    hollow: Flags
    filled: Flags
    beside_hollow: Flags


def rounded_minimum(distances: Sequence[Distances], radius_mm: float) -> Distances:
    """Depth (n,) below several walls whose corners are rounded, at most the radius, mm."""
    missing = sum(np.maximum(radius_mm - distance, 0.0) ** 2 for distance in distances)
    return radius_mm - np.sqrt(missing)


@dataclass(frozen=True)
class AirCells:
    """Seeds (k, 3) of all cells, mm; which of them are hollow; which of those are filled.

    ``towards_antrum`` (k,) is the cell that a hollow cell opens into; -1 for none.
    """

    seeds: Seeds
    hollow: Flags
    filled: Flags
    towards_antrum: npt.NDArray[np.int64]
    opening_mm: float
    septum_mm: float
    bend: Waves

    def bent(self, points: Points) -> Points:
        """Points (3, n), mm, in the coordinates of the cells, which are bent."""
        return points + self.bend.at(points)

    def unbent(self, points: Points) -> Points:
        """Undo ``bent`` by fixed-point iteration, to within some hundredths of a mm."""
        straight = points
        for _ in range(_UNBENDING_STEPS):
            # Half steps converge where the bend is as steep as 1.
            straight = 0.5 * (straight + points - self.bend.at(straight))
        return straight

    def locate(self, bent: Points) -> Depth:
        """Place points (3, n), mm, of the bent coordinates in the cells."""
        count = bent.shape[1]
        walls = np.full((2, count), _FAR_MM, dtype=np.float32)
        opening = np.full(count, -_FAR_MM, dtype=np.float32)
        hollow, filled, beside = (np.zeros(count, dtype=bool) for _ in range(3))
        near = np.flatnonzero(~self._quiet(bent))
        points = bent[:, near].T
        distances, cells = self._tree.query(points, k=3)
        first, second, third = distances.T.astype(np.float32)
        own, next_ = cells[:, 0], cells[:, 1]
        walls[:, near] = 0.5 * (np.stack([second, third]) - first) - 0.5 * self.septum_mm
        hollow[near], filled[near], beside[near] = (
            self.hollow[own],
            self.filled[own],
            self.hollow[next_],
        )
        linked = (self.towards_antrum[own] == next_) | (self.towards_antrum[next_] == own)
        at = np.flatnonzero(linked)
        opening[near[at]] = self.opening_mm - self._off_axis(points[at], own[at], next_[at])
        return Depth((walls[0], walls[1]), opening, hollow, filled, beside)

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.seeds)

    @cached_property
    def _quiet_grid(self) -> Flags:
        """Where on a cubic grid neither the nearest nor the next cell of any point is hollow."""
        count = round(2 * _QUIET_EXTENT_MM / _QUIET_GRID_MM)
        if not self.hollow.any():
            return np.ones((count,) * 3, dtype=bool)
        ticks = (np.arange(count) + 0.5) * _QUIET_GRID_MM - _QUIET_EXTENT_MM
        middles = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1)
        next_mm = self._tree.query(middles, k=2)[0][..., 1]
        hollow_mm = cKDTree(self.seeds[self.hollow]).query(middles)[0]
        # From the middle of a cube to its corner, for both distances; a little more for rounding.
        corner_mm = 0.5 * np.sqrt(3.0) * _QUIET_GRID_MM + 1e-3
        return hollow_mm - corner_mm > next_mm + corner_mm

    def _quiet(self, bent: Points) -> Flags:
        """Which points (n,) are known to lie far from any hollow cell."""
        count = len(self._quiet_grid)
        index = np.floor((bent + _QUIET_EXTENT_MM) * (1.0 / _QUIET_GRID_MM)).astype(np.int32)
        within = (index >= 0).all(axis=0) & (index < count).all(axis=0)
        x, y, z = index.clip(0, count - 1)
        return within & self._quiet_grid.ravel()[(x * count + y) * count + z]

    def _off_axis(
        self, points: npt.NDArray, own: npt.NDArray, other: npt.NDArray
    ) -> npt.NDArray[np.float32]:
        """Distance (n,) of points (n, 3) from the line through two seeds, mm."""
        axis = self.seeds[other] - self.seeds[own]
        axis /= np.sqrt((axis**2).sum(axis=1, keepdims=True))
        offset = points - self.seeds[own]
        along = (offset * axis).sum(axis=1, keepdims=True)
        return np.sqrt(((offset - along * axis) ** 2).sum(axis=1)).astype(np.float32)

    def fitted(self, room_at: Callable[[Points], Distances], clear_mm: float) -> "AirCells":
        """Close the cells that have no room between other structures, and open the rest.

        Parameters
        ----------
        room_at
            Distance (n,) of bent points (3, n) into the bone that cells may take, mm.
        clear_mm
            How far the middle of an opening keeps from other walls and structures.
        """
        room_mm = room_at(self.seeds.T.astype(np.float32))
        cells = replace(self, hollow=self.hollow & (room_mm > LEAST_ROOM_MM))
        return replace(cells, towards_antrum=cells._neighbours_on_the_way(room_at, clear_mm))

    def _neighbours_on_the_way(
        self, room_at: Callable[[Points], Distances], clear_mm: float
    ) -> npt.NDArray[np.int64]:
        """Return for each cell (k,) the nearest neighbour nearer to the antrum, or -1.

        Only hollow cells whose common wall can be pierced count: on the line between their seeds
        nothing else is in the way.
        """
        ways = np.full(len(self.seeds), -1, dtype=np.int64)
        cells = np.flatnonzero(self.hollow)
        if len(cells) <= 1:
            return ways
        seeds = self.seeds[cells]
        remoteness = np.sqrt(((seeds - ANTRUM) ** 2).sum(axis=1))
        _, near = cKDTree(seeds).query(seeds, k=min(_NEIGHBOURS, len(cells)))
        row, column = np.nonzero(remoteness[near] < remoteness[:, None])
        own, other = cells[row], cells[near[row, column]]
        middle = 0.5 * (self.seeds[own] + self.seeds[other])
        distances, nearest = self._tree.query(middle, k=3)
        common = (np.sort(nearest[:, :2]) == np.sort(np.stack([own, other], axis=1))).all(axis=1)
        aside_mm = 0.5 * (distances[:, 2] - distances[:, 0]) - 0.5 * self.septum_mm
        free = common & (aside_mm > clear_mm)
        free[free] = room_at(middle[free].T.astype(np.float32)) > clear_mm
        # From the farthest neighbour to the nearest, so that the nearest is what remains.
        for k in np.flatnonzero(free)[np.argsort(-column[free], kind="stable")]:
            ways[own[k]] = other[k]
        return ways


def _zone_depth(seeds: Seeds) -> npt.NDArray[np.float64]:
    """How far seeds (k, 3) lie within the fullest pneumatised zone, mm."""
    offset = seeds - np.array(_LABYRINTH_MIDDLE)
    depths = []
    for direction, start in _ZONES:
        depths.append((offset * np.array(direction)).sum(axis=1) - start)
    return np.max(depths, axis=0)


def draw_cells(variation: Variation) -> AirCells:
    """Draw the air cells of an ear; the more pneumatised, the nearer they come to the cochlea.

    They are closed until they are fitted between the ear's other structures.
    """
    rng = np.random.default_rng(variation.cell_seed)
    spacing = variation.cell_spacing_mm
    ticks = np.arange(-_EXTENT_MM, _EXTENT_MM, spacing)
    lattice = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
    seeds = lattice + rng.uniform(-_JITTER, _JITTER, size=lattice.shape) * spacing
    seeds = seeds[rng.uniform(size=len(seeds)) > _MISSING_SEEDS]
    threshold = (1.0 - variation.pneumatisation) * _WHOLE_EAR_MM
    hollow = _zone_depth(seeds) + rng.normal(0.0, _RAGGED_MM, size=len(seeds)) > threshold
    filled = rng.uniform(size=len(seeds)) < variation.filled_cells
    return AirCells(
        seeds=seeds,
        hollow=hollow,
        filled=filled,
        towards_antrum=np.full(len(seeds), -1, dtype=np.int64),
        opening_mm=_OPENING * spacing,
        septum_mm=variation.septum_mm,
        bend=draw_waves(rng, _BEND_WAVES, _BEND_WAVELENGTHS_MM, 3, _BEND_RMS_MM),
    )
