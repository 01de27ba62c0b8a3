"""The anatomy of one ear: which structure is at a point, and how dense the bone is there."""

from functools import reduce

import numpy as np
import numpy.typing as npt

from otosynth.phantom.canals import Labyrinth, labyrinth
from otosynth.phantom.cells import LEAST_ROOM_MM, AirCells, draw_cells, rounded_minimum
from otosynth.phantom.cochlea import Cochlea, DuctPoints
from otosynth.phantom.proximity import (
    LEAST_WALL_MM,
    PROMONTORY_MM,
    Proximity,
    measure,
    thickest_wall_mm,
)
from otosynth.phantom.shapes import Cloud, Distances, Points, Vector, along
from otosynth.phantom.small_canals import COCHLEAR_AQUEDUCT, VESTIBULAR_AQUEDUCT
from otosynth.phantom.spongy import SpongyBone, draw_spongy_bone
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Labels, Structure
from otosynth.phantom.surroundings import Surroundings, surroundings
from otosynth.phantom.variation import Variation
from otosynth.tissues import BONE

CENTRE = np.array([-2.8, 2.2, 0.5])
"""Point of the right ear that an ear without offset has in the middle of the micro-CT, mm."""

_CORTEX_MM = 0.15
_MEMBRANE_MM = 0.36
_CORNER_MM = 0.2
_ROUNDER_THAN_MUCOSA_MM = 0.02
_CAPSULE_EDGE_MM = 0.4
_COCHLEA_REACH_MM = 0.5
_NERVE_TO_DUCT_MM = 0.1
_SMALL_CANALS_AWAY_MM = 0.4
_WINDOW_MUCOSA_MM = 0.25

# Mineral relative to compact petrous bone, which is 1500 HU above water in the CT. The otic
# capsule is the densest bone of the body; trabeculae and septa are less mineralised.
_CAPSULE_DENSITY = 1.36
_TRABECULAR_DENSITY = 0.95
_SEPTUM_DENSITY = 0.85
_OSSICLE_DENSITY = 1.05
_MODIOLUS_DENSITY = 0.8
_DENSITY_RANGE = (0.6, 1.5)


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
        self.spongy: SpongyBone = draw_spongy_bone(variation)
        self._reach_mm = thickest_wall_mm(variation) + max(self._corner_mm, LEAST_ROOM_MM)
        self.cells: AirCells = draw_cells(variation)
        self.cells = self.cells.fitted(self._room_at, self._corner_mm)

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
        bent = Cloud(self.cells.bent(ear.points))
        near = self._measure(ear, bent)
        labels = np.full(ear.count, Structure.PETROUS_BONE, dtype=np.uint8)
        septa = self._label_cells(labels, ear, bent, near)
        labels[near.labyrinth < self.variation.capsule_mm] = Structure.OTIC_CAPSULE
        self._label_middle_ear(labels, near)
        self._label_soft_tubes(labels, ear, near)
        self._label_labyrinth(labels, ear, near)
        self._label_windows(labels, near)
        return labels, self._density(ear, labels, near, septa)

    def _measure(self, ear: Cloud, bent: Cloud) -> Proximity:
        """How far points are from each part; ``bent`` are the same, moved as the cells are."""
        return measure(
            ear, bent, self.variation, self.cochlea, self.labyrinth, self.round, self._reach_mm
        )

    @property
    def _corner_mm(self) -> float:
        """How round the corners of air cells are, mm; more than the mucosa that lines them."""
        return max(_CORNER_MM, self.variation.mucosa_mm + _ROUNDER_THAN_MUCOSA_MM)

    def _room(self, near: Proximity) -> Distances:
        """Distance (n,) into the bone that cells or marrow may take, mm; negative outside it."""
        parts = [
            near.middle_ear,
            near.oval_window,
            near.round_window,
            near.ear_canal,
            near.nerves,
            near.nerve_branches,
            near.vessels,
            near.cranium,
        ]
        walled = reduce(np.minimum, parts) - np.maximum(near.wall, LEAST_WALL_MM)
        capsule = max(PROMONTORY_MM, self.variation.capsule_mm)
        return np.minimum(near.labyrinth - capsule, walled)

    def _room_at(self, bent: Points) -> Distances:
        """Room (n,) at points (3, n) of the cells' coordinates."""
        return self._room(self._measure(Cloud(self.cells.unbent(bent)), Cloud(bent)))

    def _label_cells(
        self, labels: Labels, ear: Cloud, bent: Cloud, near: Proximity
    ) -> npt.NDArray[np.intp]:
        """Label air cells with their mucosa and, where there are none, spongy bone.

        Returns which points (k,) lie in the septa between two hollow cells.
        """
        room = self._room(near)
        possible = np.flatnonzero(room > 0.0)
        room = room[possible]
        at_cell = self.cells.locate(bent.points[:, possible])
        v, (nearest, next_) = self.variation, at_cell.walls_mm
        piercing = np.maximum(nearest, at_cell.opening_mm)
        depth = rounded_minimum([piercing, next_, room], self._corner_mm)
        cell = np.where(depth > v.mucosa_mm, Structure.AIR_CELLS, Structure.MUCOSA)
        cell = np.where(at_cell.filled, Structure.FILLED_CELLS, cell)
        open_ = at_cell.hollow & (depth > 0.0)
        labels[possible[open_]] = cell[open_]
        # The cortex parts marrow from every surface, the wall of a hollow neighbour among them.
        inner = (room > _CORTEX_MM) & (~at_cell.beside_hollow | (nearest > 0.0))
        spongy = possible[~at_cell.hollow & inner]
        labels[spongy] = self.spongy.structures(ear.points[:, spongy])
        return possible[at_cell.hollow & at_cell.beside_hollow & (piercing <= 0.0)]

    def _label_middle_ear(self, labels: Labels, near: Proximity) -> None:
        """Label the cavity with its mucosa and ossicles, and the ear canal with the ear drum."""
        mucosa = self.variation.mucosa_mm
        canal = near.ear_canal
        outside = (canal < 0.0) & (near.middle_ear > 0.0)
        labels[outside] = Structure.TYMPANIC_MEMBRANE
        labels[outside & (canal < -mucosa) & (near.middle_ear > _MEMBRANE_MM)] = Structure.EAR_CANAL
        if not (near.middle_ear < 0.0).any():
            return
        bounds = [near.nerves, near.vessels, near.cranium]
        cavity = np.maximum(near.middle_ear, PROMONTORY_MM - near.labyrinth)
        cavity = np.maximum(cavity, near.wall - reduce(np.minimum, bounds))
        inside = cavity < 0.0
        labels[inside] = Structure.MUCOSA
        labels[cavity < -mucosa] = Structure.MIDDLE_EAR
        labels[inside & (near.ossicles < mucosa)] = Structure.MUCOSA
        labels[inside & (near.ossicles < 0.0)] = Structure.OSSICLES

    def _label_soft_tubes(self, labels: Labels, ear: Cloud, near: Proximity) -> None:
        """Label nerves, vessels, small canals and the cranial cavity."""
        self._label_small_canals(labels, ear, near)
        for distance, structure in (
            (near.facial_nerve, Structure.FACIAL_NERVE),
            (near.large_vessels, Structure.CAROTID_CANAL),
            (near.tensor_tympani, Structure.TENSOR_TYMPANI),
            (near.nerve_branches, Structure.COCHLEAR_NERVE),
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
            bone = (CLASS_OF_STRUCTURE[labels] == BONE) & (labels != Structure.OSSICLES)
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
        # Round its axis the modiolus is further from the duct than the capsule is thick.
        core = np.isin(labels, [Structure.OTIC_CAPSULE, Structure.TRABECULAE, Structure.MARROW])
        labels[modiolus & core] = Structure.MODIOLUS
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

    def _label_windows(self, labels: Labels, near: Proximity) -> None:
        """Label the tunnels between labyrinth and middle ear, each closed by a membrane."""
        mucosa, inner = self.variation.mucosa_mm, near.labyrinth
        to_nerve = near.nerves - near.wall
        for tunnel, structure in (
            (near.oval_window, Structure.OVAL_WINDOW),
            (near.round_window, Structure.ROUND_WINDOW),
        ):
            if not (tunnel < 0.0).any():
                continue
            bony = (labels == Structure.OTIC_CAPSULE) | (labels == Structure.PETROUS_BONE)
            wall = (tunnel < 0.0) & (inner > 0.0) & (bony | (labels == Structure.MUCOSA))
            wall &= to_nerve > 0.0
            beyond = wall & (inner > _MEMBRANE_MM)
            labels[wall] = structure
            labels[beyond] = Structure.MUCOSA
            air = (tunnel < -_WINDOW_MUCOSA_MM) & (to_nerve > mucosa) & (near.ossicles > mucosa)
            labels[beyond & air] = Structure.MIDDLE_EAR
            labels[beyond & (near.ossicles < 0.0)] = Structure.OSSICLES

    def _density(
        self, ear: Cloud, labels: Labels, near: Proximity, septa: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """Mineral of the bone (n,) relative to compact petrous bone; 0 where there is none."""
        depth_mm = self.variation.capsule_mm + _CAPSULE_EDGE_MM - near.labyrinth
        density = 1.0 + (_CAPSULE_DENSITY - 1.0) * (depth_mm / _CAPSULE_EDGE_MM).clip(0.0, 1.0)
        density[septa] = _SEPTUM_DENSITY
        for structure, value in (
            (Structure.TRABECULAE, _TRABECULAR_DENSITY),
            (Structure.OSSICLES, _OSSICLE_DENSITY),
            (Structure.MODIOLUS, _MODIOLUS_DENSITY),
        ):
            density[labels == structure] = value
        bone = CLASS_OF_STRUCTURE[labels] == BONE
        density[bone] *= 1.0 + self.variation.mineral.at(ear.points[:, bone])[0]
        return np.where(bone, density.clip(*_DENSITY_RANGE), np.float32(0.0))
