"""The anatomy of one ear: which structure is at a point, and how dense the bone is there."""

from functools import reduce

import numpy as np
import numpy.typing as npt

from otosynth.phantom.canals import Labyrinth, labyrinth
from otosynth.phantom.cells import AirCells, draw_cells, rounded_minimum
from otosynth.phantom.cochlea import Cochlea, DuctPoints
from otosynth.phantom.middle_ear import EAR_CANAL, OSSICLES, OVAL_WINDOW, ROUND_WINDOW
from otosynth.phantom.nerves_vessels import NERVE_BRANCHES
from otosynth.phantom.proximity import Proximity, measure
from otosynth.phantom.shapes import Cloud, Distances, Points, Vector, along
from otosynth.phantom.small_canals import COCHLEAR_AQUEDUCT, VESTIBULAR_AQUEDUCT
from otosynth.phantom.spongy import spongy_bone
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Labels, Structure
from otosynth.phantom.surroundings import Surroundings, surroundings
from otosynth.phantom.variation import Variation
from otosynth.tissues import BONE

CENTRE = np.array([-1.8, 2.2, 0.5])
"""Point of the right ear that an ear without offset has in the middle of the micro-CT, mm."""

_PROMONTORY_MM = 0.6
_CORTEX_MM = 0.15
_LEAST_WALL_MM = 0.1
_MEMBRANE_MM = 0.36
_CORNER_MM = 0.2
_CAPSULE_EDGE_MM = 0.4
_COCHLEA_REACH_MM = 0.5
_NERVE_TO_DUCT_MM = 0.1
_SMALL_CANALS_AWAY_MM = 0.4
_WINDOW_MUCOSA_MM = 0.25

# Mineral relative to compact petrous bone, which is 1500 HU above water in the CT. The otic
# capsule is the densest bone of the body; trabeculae and septa are less mineralised.
_CAPSULE_DENSITY = 1.36
_TRABECULAR_DENSITY = 0.8
_SEPTUM_DENSITY = 0.85
_OSSICLE_DENSITY = 1.05
_MODIOLUS_DENSITY = 0.8
_DENSITY_RANGE = (0.6, 1.5)


def _room(near: Proximity) -> Distances:
    """Distance (n,) into the bone that air cells or marrow may take, mm; negative outside it."""
    wall = np.maximum(near.wall, _LEAST_WALL_MM)
    walled = reduce(np.minimum, [near.middle_ear, near.nerves, near.vessels, near.cranium])
    return np.minimum(near.labyrinth - _PROMONTORY_MM, walled - wall)


class Anatomy:
    """One ear's anatomy, evaluated at any points of the micro-CT frame."""

    def __init__(self, variation: Variation, side: str) -> None:
        self.variation = variation
        self.mirror = -1.0 if side == "left" else 1.0
        self.cochlea = Cochlea(variation.turns, variation.cochlear_height_mm)
        self.labyrinth: Labyrinth = labyrinth(
            variation.canal_radius_mm, variation.lateral_canal_radius_mm
        )
        self.round: Surroundings = surroundings(variation)
        self.cells: AirCells = draw_cells(variation)
        near, _ = self._measure(Cloud(self.cells.seeds.T.astype(np.float32)))
        self.cells = self.cells.without_cramped(_room(near))

    def to_ear(self, points: npt.NDArray) -> npt.NDArray:
        """Points (3, n) of the micro-CT frame in the frame of the right ear, mm."""
        v = self.variation
        right = np.stack([self.mirror * points[0], points[1], points[2]])
        offset = CENTRE + v.head_offset_mm
        turned = [
            along(right, row / v.size, np.zeros(3)) + float(shift)
            for row, shift in zip(v.head_rotation, offset, strict=True)
        ]
        return np.stack(turned) + v.deformation.at(right)

    def from_ear(self, points: Vector) -> Vector:
        """Points (n, 3) of the right ear's frame in the micro-CT frame, mm.

        Undoes ``to_ear`` by fixed-point iteration; the deformation is a contraction.
        """
        v = self.variation
        rigid = (points - CENTRE - v.head_offset_mm).T
        right = rigid
        for _ in range(40):
            moved = rigid - v.deformation.at(right)
            right = v.size * np.stack(
                [sum(v.head_rotation[j, k] * moved[j] for j in range(3)) for k in range(3)]
            )
        return np.stack([self.mirror * right[0], right[1], right[2]], axis=1)

    def structures_at(self, points: Points) -> tuple[Labels, npt.NDArray[np.float32]]:
        """Structure (n,) and relative density of the bone (n,) at points (3, n), mm.

        The density is 0 where there is no bone.
        """
        ear = Cloud(self.to_ear(points).astype(np.float32))
        near, bent = self._measure(ear)
        labels = np.full(ear.count, Structure.PETROUS_BONE, dtype=np.uint8)
        self._label_cells(labels, ear, bent, near)
        labels[near.labyrinth < self.variation.capsule_mm] = Structure.OTIC_CAPSULE
        self._label_middle_ear(labels, ear, near)
        self._label_soft_tubes(labels, ear, near)
        self._label_labyrinth(labels, ear, near)
        self._label_windows(labels, ear, near)
        return labels, self._density(ear, labels, near)

    def _measure(self, ear: Cloud) -> tuple[Proximity, Cloud]:
        """How far points are from each part, and the points as the cells' bend moves them."""
        bent = Cloud(ear.points + self.cells.bend.at(ear.points))
        near = measure(ear, bent, self.variation, self.cochlea, self.labyrinth, self.round)
        return near, bent

    def _label_cells(self, labels: Labels, ear: Cloud, bent: Cloud, near: Proximity) -> None:
        """Label air cells with their mucosa and, where there are none, spongy bone."""
        room = _room(near)
        possible = np.flatnonzero(room > 0.0)
        if not possible.size:
            return
        v, room = self.variation, room[possible]
        at_cell = self.cells.locate(bent.points[:, possible])
        nearest, next_ = (wall - 0.5 * v.septum_mm for wall in at_cell.walls_mm)
        depth = rounded_minimum([np.maximum(nearest, at_cell.opening_mm), next_, room], _CORNER_MM)
        cell = np.where(depth > v.mucosa_mm, Structure.AIR_CELLS, Structure.MUCOSA)
        cell = np.where(at_cell.filled, Structure.FILLED_CELLS, cell)
        open_ = at_cell.hollow & (depth > 0.0)
        labels[possible[open_]] = cell[open_]
        # The cortex parts marrow from every surface, the wall of a hollow neighbour among them.
        inner = (room > _CORTEX_MM) & (~at_cell.beside_hollow | (nearest > 0.0))
        spongy = possible[~at_cell.hollow & inner]
        labels[spongy] = spongy_bone(v, ear.points[:, spongy])

    def _label_middle_ear(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label the cavity with its mucosa and ossicles, and the ear canal with the ear drum."""
        mucosa = self.variation.mucosa_mm
        canal = EAR_CANAL.distance(ear)
        outside = (canal < 0.0) & (near.middle_ear > 0.0)
        labels[outside] = Structure.TYMPANIC_MEMBRANE
        labels[outside & (canal < -mucosa) & (near.middle_ear > _MEMBRANE_MM)] = Structure.EAR_CANAL
        if not (near.middle_ear < 0.0).any():
            return
        bounds = [near.nerves, near.vessels, near.cranium]
        cavity = np.maximum(near.middle_ear, _PROMONTORY_MM - near.labyrinth)
        cavity = np.maximum(cavity, near.wall - reduce(np.minimum, bounds))
        inside = cavity < 0.0
        labels[inside] = Structure.MUCOSA
        labels[cavity < -mucosa] = Structure.MIDDLE_EAR
        ossicles = OSSICLES.distance(ear, mucosa)
        labels[inside & (ossicles < mucosa)] = Structure.MUCOSA
        labels[inside & (ossicles < 0.0)] = Structure.OSSICLES

    def _label_soft_tubes(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label nerves, vessels, small canals and the cranial cavity."""
        self._label_small_canals(labels, ear, near)
        for distance, structure in (
            (near.facial_nerve, Structure.FACIAL_NERVE),
            (near.large_vessels, Structure.CAROTID_CANAL),
            (near.tensor_tympani, Structure.TENSOR_TYMPANI),
            (NERVE_BRANCHES.distance(ear), Structure.COCHLEAR_NERVE),
            (near.auditory_canal, Structure.INTERNAL_AUDITORY_CANAL),
            (near.cranium, Structure.CRANIAL_CAVITY),
        ):
            labels[distance < 0.0] = structure

    def _label_small_canals(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label canals of small nerves and vessels: they cross bone, and end at air."""
        for solids, structure, away_mm in (
            (self.round.small_canals, Structure.SMALL_CANALS, _SMALL_CANALS_AWAY_MM),
            (VESTIBULAR_AQUEDUCT, Structure.VESTIBULAR_AQUEDUCT, 0.0),
            (COCHLEAR_AQUEDUCT, Structure.COCHLEAR_AQUEDUCT, 0.0),
        ):
            within = solids.distance(ear) < 0.0
            bone = CLASS_OF_STRUCTURE[labels] == BONE
            labels[within & bone & (near.labyrinth > away_mm)] = structure

    def _label_labyrinth(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label the canals, the vestibule and the cochlea."""
        for distance, structure in (
            (near.lateral_canal, Structure.LATERAL_CANAL),
            (near.superior_canal, Structure.SUPERIOR_CANAL),
            (near.posterior_canal, Structure.POSTERIOR_CANAL),
            (near.vestibule, Structure.VESTIBULE),
        ):
            labels[distance < 0.0] = structure
        inside = ear.within(self.cochlea.box, _COCHLEA_REACH_MM)
        if inside.size:
            duct = near.duct.take(np.searchsorted(near.near_duct, inside))
            labels[inside] = self._with_cochlea(labels[inside], ear.points[:, inside], duct)

    def _with_cochlea(self, labels: Labels, ear: Points, at: DuctPoints) -> Labels:
        """Labels (n,) of points (3, n) near the cochlea, with the cochlea among them."""
        modiolus, nerve = self.cochlea.modiolus(ear)
        labels[modiolus & (labels == Structure.OTIC_CAPSULE)] = Structure.MODIOLUS
        labels[nerve & (labels == Structure.MODIOLUS)] = Structure.COCHLEAR_NERVE
        ganglion = (at.ganglion < 0.0) & (at.distance > _NERVE_TO_DUCT_MM)
        labels[ganglion] = Structure.COCHLEAR_NERVE
        duct = at.distance < 0.0
        tympani = duct & (at.height < 0.0)
        labels[tympani] = Structure.SCALA_TYMPANI
        # Where the vestibule opens into the duct, both are the same fluid.
        labels[duct & ~tympani & (labels != Structure.VESTIBULE)] = Structure.SCALA_VESTIBULI
        lamina, membrane = self.cochlea.lamina(at)
        labels[duct & lamina] = Structure.SPIRAL_LAMINA
        labels[duct & membrane] = Structure.BASILAR_MEMBRANE
        return labels

    def _label_windows(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label the tunnels between labyrinth and middle ear, each closed by a membrane."""
        inner = near.labyrinth
        for solids, structure in (
            (OVAL_WINDOW, Structure.OVAL_WINDOW),
            (ROUND_WINDOW, Structure.ROUND_WINDOW),
        ):
            tunnel = solids.distance(ear)
            if not (tunnel < 0.0).any():
                continue
            bony = (labels == Structure.OTIC_CAPSULE) | (labels == Structure.PETROUS_BONE)
            wall = (tunnel < 0.0) & (inner > 0.0) & (bony | (labels == Structure.MUCOSA))
            beyond = wall & (inner > _MEMBRANE_MM)
            labels[wall] = structure
            labels[beyond] = Structure.MUCOSA
            free = near.nerves > np.maximum(near.wall, _LEAST_WALL_MM)
            labels[beyond & (tunnel < -_WINDOW_MUCOSA_MM) & free] = Structure.MIDDLE_EAR

    def _density(self, ear: Cloud, labels: Labels, near: Proximity) -> npt.NDArray[np.float32]:
        """Mineral of the bone (n,) relative to compact petrous bone; 0 where there is none."""
        density = np.zeros(ear.count, dtype=np.float32)
        bone = np.flatnonzero(CLASS_OF_STRUCTURE[labels] == BONE)
        depth_mm = self.variation.capsule_mm + _CAPSULE_EDGE_MM - near.labyrinth[bone]
        of_bone = 1.0 + (_CAPSULE_DENSITY - 1.0) * (depth_mm / _CAPSULE_EDGE_MM).clip(0.0, 1.0)
        for structure, value in (
            (Structure.TRABECULAE, _TRABECULAR_DENSITY),
            (Structure.OSSICLES, _OSSICLE_DENSITY),
            (Structure.MODIOLUS, _MODIOLUS_DENSITY),
        ):
            of_bone[labels[bone] == structure] = value
        mineral = 1.0 + self.variation.mineral.at(ear.points[:, bone])[0]
        density[bone] = (of_bone * mineral).clip(*_DENSITY_RANGE)
        return density
