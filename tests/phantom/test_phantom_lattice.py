"""Voxels hold what most of them is, and attenuate by the share of each part."""

from dataclasses import dataclass

import numpy as np
import pytest

from otosynth.phantom.lattice import FOUR, MIDDLES, TWO, Lattice, scan_lattice
from otosynth.phantom.structures import Structure

LATTICE = Lattice((3, 3, 5), np.eye(3), np.zeros(3))


@dataclass
class Layers:
    """Layers along x: each voxel's lower and upper half, or a wall at some place of it."""

    inside: Structure
    outside: Structure
    low: float
    high: float

    def structures_at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = points[0] - np.round(points[0])
        wall = (within > self.low) & (within < self.high)
        labels = np.where(wall, self.inside, self.outside).astype(np.uint8)
        return labels, np.ones(len(labels), np.float32)


def test_a_wall_thinner_than_a_voxel_counts_by_its_share() -> None:
    septum = Layers(Structure.PETROUS_BONE, Structure.AIR_CELLS, 0.2, 0.3)
    unseen, unseen_attenuation = scan_lattice(septum, LATTICE, samples=MIDDLES)
    assert set(unseen.ravel()) == {Structure.AIR_CELLS}
    assert (unseen_attenuation == 0.0).all()
    structures, attenuation = scan_lattice(septum, LATTICE, samples=FOUR)
    # Two of four samples, and one of two, lie in it; bone attenuates 2.5 times as water.
    assert (attenuation == 1.25).all()
    assert set(structures.ravel()) == {Structure.AIR_CELLS}
    assert (scan_lattice(septum, LATTICE, samples=TWO)[1] == 1.25).all()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Structure.MUCOSA, Structure.AIR_CELLS, Structure.MUCOSA),
        (Structure.MARROW, Structure.TRABECULAE, Structure.MARROW),
        (Structure.MIDDLE_EAR, Structure.OSSICLES, Structure.MIDDLE_EAR),
    ],
)
def test_ties_go_to_soft_tissue_then_air_then_bone(one, other, expected) -> None:
    for layers in (Layers(one, other, 0.0, 0.5), Layers(other, one, 0.0, 0.5)):
        assert set(scan_lattice(layers, LATTICE, samples=FOUR)[0].ravel()) == {expected}


@dataclass
class InOrder:
    """Gives one structure after another, a call at a time."""

    structures: list[Structure]

    def structures_at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = points.shape[1]
        return np.full(count, self.structures.pop(0), np.uint8), np.ones(count, np.float32)


@pytest.mark.parametrize("turn", range(4))
def test_the_commonest_class_wins_and_in_it_the_commonest_structure(turn) -> None:
    # Marrow is the commonest structure, but three structures are bone.
    samples = [Structure.MARROW] * 2 + [Structure.TRABECULAE] * 2 + [Structure.OTIC_CAPSULE]
    order = samples[turn:] + samples[:turn]
    structures, _ = scan_lattice(InOrder(order), LATTICE, samples=[*FOUR, (0.0, 0.0, 0.0)])
    assert set(structures.ravel()) == {Structure.TRABECULAE}
