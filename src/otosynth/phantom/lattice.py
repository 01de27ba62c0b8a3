"""The ear on a grid of voxels: what each holds, and how it attenuates.

Attenuation is relative to water: air 0, soft tissue about 1, petrous bone 2.5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Structure
from otosynth.tissues import AIR, BONE

_BONE_ABOVE_WATER = 1.5
_WATERY = [
    Structure.SCALA_TYMPANI,
    Structure.SCALA_VESTIBULI,
    Structure.VESTIBULE,
    Structure.LATERAL_CANAL,
    Structure.SUPERIOR_CANAL,
    Structure.POSTERIOR_CANAL,
]
_BRICK = 32
Shift = tuple[float, float, float]
"""Where in a voxel (z, y, x), in voxels from its middle."""
MIDDLES: Sequence[Shift] = ((0.0, 0.0, 0.0),)
FOUR: Sequence[Shift] = (
    (-0.25, -0.25, -0.25),
    (-0.25, 0.25, 0.25),
    (0.25, -0.25, 0.25),
    (0.25, 0.25, -0.25),
)
"""Corners of a tetrahedron."""
TWO: Sequence[Shift] = ((-0.25, -0.25, -0.25), (0.25, 0.25, 0.25))
"""Two points of a voxel's diagonal."""
# A tie between classes goes to soft tissue, then air, then bone (method.md section 8).
_PRIORITY = np.array([1, 2, 0], dtype=np.int16)


@dataclass(frozen=True)
class Lattice:
    """A grid of voxels placed in the micro-CT frame.

    ``shape`` is z, y, x; ``steps_mm`` (3, 3) holds in its columns the step of one voxel along
    the grid's x, y and z; ``centre_mm`` (3,) is the middle of the grid.
    """

    shape: tuple[int, int, int]
    steps_mm: npt.NDArray[np.float64]
    centre_mm: npt.NDArray[np.float64]

    def points(
        self, brick: tuple[slice, slice, slice], shift: Shift = (0.0, 0.0, 0.0)
    ) -> npt.NDArray[np.float32]:
        """Positions (3, n), mm, of the voxels of a brick (slices z, y, x).

        ``shift`` (z, y, x) is where in the voxels, in voxels from their middles.
        """
        offsets = [
            np.arange(part.start, part.stop) - (size - 1) / 2.0 + within
            for part, size, within in zip(brick, self.shape, shift, strict=True)
        ]
        z, y, x = np.meshgrid(*offsets, indexing="ij", sparse=True)
        rows = [
            (row[0] * x + row[1] * y + row[2] * z + shift).ravel()
            for row, shift in zip(self.steps_mm, self.centre_mm, strict=True)
        ]
        return np.stack(rows).astype(np.float32)


def _bricks(shape: tuple[int, int, int], edge: int) -> Iterator[tuple[slice, slice, slice]]:
    ranges = [[slice(i, min(i + edge, n)) for i in range(0, n, edge)] for n in shape]
    yield from product(*ranges)


def relative_attenuation(
    structures: npt.NDArray[np.uint8], density: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Attenuation relative to water, given structures and the bone's relative density."""
    of_structure = np.array(
        [0.0 if CLASS_OF_STRUCTURE[s] == AIR else 1.05 for s in Structure], dtype=np.float32
    )
    of_structure[_WATERY] = 1.01
    bone = CLASS_OF_STRUCTURE[structures] == BONE
    return np.where(bone, 1.0 + _BONE_ABOVE_WATER * density, of_structure[structures])


def scan_lattice(
    anatomy: Anatomy,
    lattice: Lattice,
    brick: int = _BRICK,
    samples: Sequence[Shift] = MIDDLES,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Structures and relative attenuation on a lattice, arrays z, y, x.

    Built brick by brick, so that memory beyond the two results stays small; the size of the
    bricks changes nothing in the result.

    Parameters
    ----------
    samples
        Where a voxel is looked at. Its attenuation is their mean, so that a wall thinner than a
        voxel counts by its share; its structure is the commonest of its commonest class (ties:
        soft tissue, air, bone).
    """
    structures = np.empty(lattice.shape, dtype=np.uint8)
    attenuation = np.empty(lattice.shape, dtype=np.float32)
    for part in _bricks(lattice.shape, brick):
        shape = structures[part].shape
        seen = np.empty((len(samples), structures[part].size), dtype=np.uint8)
        total = np.zeros(structures[part].size, dtype=np.float32)
        for labels, shift in zip(seen, samples, strict=True):
            labels[:], density = anatomy.structures_at(lattice.points(part, shift))
            total += relative_attenuation(labels, density)
        structures[part] = _commonest(seen).reshape(shape)
        attenuation[part] = (total / np.float32(len(samples))).reshape(shape)
    return structures, attenuation


def _commonest(seen: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return for each voxel the commonest structure of its commonest class, of (sample, voxel)."""
    if len(seen) == 1:
        return seen[0]
    classes = CLASS_OF_STRUCTURE[seen]
    best, chosen = np.full(seen.shape[1], -1, dtype=np.int16), seen[0].copy()
    for own, own_class in zip(seen, classes, strict=True):
        same_class = (classes == own_class).sum(axis=0, dtype=np.int16)
        same_structure = (seen == own).sum(axis=0, dtype=np.int16)
        score = 100 * same_class + 10 * _PRIORITY[own_class] + same_structure
        better = score > best
        best[better], chosen[better] = score[better], own[better]
    return chosen
