"""The anatomy of one ear: which structure is at a point, and how dense the bone is there."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otosynth.phantom import middle_ear as parts
from otosynth.phantom.canals import Labyrinth, labyrinth
from otosynth.phantom.cells import AirCells, draw_cells, rounded_minimum
from otosynth.phantom.cochlea import Cochlea
from otosynth.phantom.shapes import (
    FAR_MM,
    Distances,
    Points,
    Vector,
    along,
    distance_near,
    inside_box,
    unit,
)
from otosynth.phantom.structures import Structure
from otosynth.phantom.variation import Variation

CENTRE = np.array([-1.8, 2.2, 0.5])
"""Point of the right ear that an ear without offset has in the middle of the micro-CT, mm."""

CAPSULE_MM = 1.5
"""Thickness of the dense otic capsule round the labyrinth."""

_PROMONTORY_MM = 0.9
_NERVE_WALL_MM = 0.35
_CELL_WALL_MM = 0.4
_MEMBRANE_MM = 0.36
_CORNER_MM = 0.45
_REACH_MM = 2.0

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Distance:
    """Signed distances (n,) in mm to what the air spaces keep away from."""

    labyrinth: Distances
    middle_ear: Distances
    nerves: Distances
    vessels: Distances
    cranium: Distances


def _room(at: Distance) -> Distances:
    """Distance (n,) into the bone that air cells may take, mm; negative outside it."""
    return np.minimum.reduce(
        [
            at.labyrinth - _PROMONTORY_MM - 0.2,
            at.middle_ear - _CELL_WALL_MM,
            at.nerves - _CELL_WALL_MM,
            at.vessels - _CELL_WALL_MM,
            at.cranium - 0.9,
        ]
    )


class Anatomy:
    """One ear's anatomy, evaluated at any points of the micro-CT frame."""

    def __init__(self, variation: Variation, side: str) -> None:
        self.variation = variation
        self.mirror = -1.0 if side == "left" else 1.0
        self.cochlea = Cochlea(variation.turns, variation.cochlear_height_mm)
        self.labyrinth: Labyrinth = labyrinth(
            variation.canal_radius_mm, variation.lateral_canal_radius_mm
        )
        self.cells: AirCells = draw_cells(variation)
        room_at_seeds = _room(self._distances(self.cells.seeds.T))
        self.cells = self.cells.without_cramped(room_at_seeds)

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
        """Structure (n,) and relative density of the bone (n,) at points (3, n), mm."""
        ear = self.to_ear(points).astype(np.float32)
        labels = np.zeros(ear.shape[1], dtype=np.uint8)
        distance = self._distances(ear)
        labels[distance.labyrinth < CAPSULE_MM] = Structure.OTIC_CAPSULE
        self._label_air_cells(labels, ear, distance)
        self._label_middle_ear(labels, ear, distance)
        self._label_soft_tubes(labels, ear, distance)
        self._label_labyrinth(labels, ear)
        self._label_windows(labels, ear, distance)
        return labels, self._density(ear, labels, distance)

    def _distances(self, ear: Points) -> Distance:
        lab = self.labyrinth
        cochlea = np.full(ear.shape[1], FAR_MM, dtype=np.float32)
        inside = np.flatnonzero(inside_box(ear, self.cochlea.box, _REACH_MM))
        if inside.size:
            cochlea[inside] = self.cochlea.locate(ear[:, inside]).distance
        vestibule = distance_near(lab.vestibule + parts.VESTIBULAR_OPENING, ear, _REACH_MM)
        canals = distance_near(lab.lateral + lab.superior + lab.posterior, ear, _REACH_MM)
        undulation = 0.4 * np.sin(0.5 * ear[0]) * np.sin(0.6 * ear[1] + 1.0)
        posterior = along(ear, unit([0.62, 0.78, 0.05]), np.zeros(3)) - 11.5
        return Distance(
            labyrinth=np.minimum(np.minimum(cochlea, vestibule), canals),
            # Bent like the cells, so that the walls of the cavity are as irregular as theirs.
            middle_ear=distance_near(parts.MIDDLE_EAR, ear + self.cells.bend.at(ear), _REACH_MM),
            nerves=distance_near(
                parts.FACIAL_NERVE + parts.INTERNAL_AUDITORY_CANAL, ear, _REACH_MM
            ),
            vessels=distance_near(
                parts.CAROTID_CANAL + parts.TENSOR_TYMPANI + parts.JUGULAR_BULB, ear, _REACH_MM
            ),
            cranium=-np.maximum(ear[2] - 10.2 + undulation, posterior + undulation),
        )

    def _label_air_cells(self, labels: Labels, ear: Points, at: Distance) -> None:
        room = _room(at)
        possible = np.flatnonzero(room > 0.0)
        if not possible.size:
            return
        at_cell = self.cells.locate(ear[:, possible])
        walls = [wall - 0.5 * self.variation.septum_mm for wall in at_cell.walls_mm]
        depth = rounded_minimum([*walls, room[possible]], _CORNER_MM)
        cell = np.where(depth > self.variation.mucosa_mm, Structure.AIR_CELLS, Structure.MUCOSA)
        cell = np.where(at_cell.filled, Structure.FILLED_CELLS, cell)
        open_ = at_cell.hollow & (depth > 0.0)
        labels[possible[open_]] = cell[open_]

    def _label_middle_ear(self, labels: Labels, ear: Points, at: Distance) -> None:
        mucosa = self.variation.mucosa_mm
        cavity = np.maximum.reduce(
            [
                at.middle_ear,
                _PROMONTORY_MM - at.labyrinth,
                _NERVE_WALL_MM - at.nerves,
                _NERVE_WALL_MM - at.vessels,
            ]
        )
        labels[cavity < 0.0] = Structure.MUCOSA
        labels[cavity < -mucosa] = Structure.MIDDLE_EAR
        canal = distance_near(parts.EAR_CANAL, ear, _REACH_MM)
        outside = (canal < 0.0) & (at.middle_ear > 0.0)
        labels[outside] = Structure.TYMPANIC_MEMBRANE
        labels[outside & (canal < -mucosa) & (at.middle_ear > _MEMBRANE_MM)] = Structure.EAR_CANAL
        ossicles = distance_near(parts.OSSICLES, ear, _REACH_MM)
        in_air = cavity < 0.0
        labels[in_air & (ossicles < 0.24)] = Structure.MUCOSA
        labels[in_air & (ossicles < 0.0)] = Structure.OSSICLES

    def _label_soft_tubes(self, labels: Labels, ear: Points, at: Distance) -> None:
        for solids, structure in (
            (parts.FACIAL_NERVE, Structure.FACIAL_NERVE),
            (parts.CAROTID_CANAL + parts.JUGULAR_BULB, Structure.CAROTID_CANAL),
            (parts.TENSOR_TYMPANI, Structure.TENSOR_TYMPANI),
            (parts.NERVE_BRANCHES, Structure.COCHLEAR_NERVE),
            (parts.INTERNAL_AUDITORY_CANAL, Structure.INTERNAL_AUDITORY_CANAL),
        ):
            labels[distance_near(solids, ear, 0.0) < 0.0] = structure
        labels[at.cranium < 0.0] = Structure.CRANIAL_CAVITY

    def _label_labyrinth(self, labels: Labels, ear: Points) -> None:
        lab = self.labyrinth
        for solids, structure in (
            (lab.lateral, Structure.LATERAL_CANAL),
            (lab.superior, Structure.SUPERIOR_CANAL),
            (lab.posterior, Structure.POSTERIOR_CANAL),
            (lab.vestibule + parts.VESTIBULAR_OPENING, Structure.VESTIBULE),
        ):
            labels[distance_near(solids, ear, 0.0) < 0.0] = structure
        inside = np.flatnonzero(inside_box(ear, self.cochlea.box, 0.5))
        if inside.size:
            labels[inside] = self._with_cochlea(labels[inside], ear[:, inside])

    def _with_cochlea(self, labels: Labels, ear: Points) -> Labels:
        modiolus, nerve = self.cochlea.modiolus(ear)
        labels[modiolus & (labels == Structure.OTIC_CAPSULE)] = Structure.MODIOLUS
        labels[nerve & (labels == Structure.MODIOLUS)] = Structure.COCHLEAR_NERVE
        at = self.cochlea.locate(ear)
        labels[(at.ganglion < 0.0) & (at.distance > 0.1)] = Structure.COCHLEAR_NERVE
        duct = at.distance < 0.0
        tympani = duct & (at.height < 0.0)
        labels[tympani] = Structure.SCALA_TYMPANI
        # Where the vestibule opens into the duct, both are the same fluid.
        labels[duct & ~tympani & (labels != Structure.VESTIBULE)] = Structure.SCALA_VESTIBULI
        lamina, membrane = self.cochlea.lamina(at)
        labels[duct & lamina] = Structure.SPIRAL_LAMINA
        labels[duct & membrane] = Structure.BASILAR_MEMBRANE
        return labels

    def _label_windows(self, labels: Labels, ear: Points, at: Distance) -> None:
        inner = at.labyrinth
        for solids, structure in (
            (parts.OVAL_WINDOW, Structure.OVAL_WINDOW),
            (parts.ROUND_WINDOW, Structure.ROUND_WINDOW),
        ):
            tunnel = distance_near(solids, ear, 0.0)
            bony = (labels == Structure.OTIC_CAPSULE) | (labels == Structure.PETROUS_BONE)
            wall = (tunnel < 0.0) & (inner > 0.0) & (bony | (labels == Structure.MUCOSA))
            beyond = wall & (inner > _MEMBRANE_MM)
            labels[wall] = structure
            labels[beyond] = Structure.MUCOSA
            labels[beyond & (tunnel < -0.25) & (at.nerves > _NERVE_WALL_MM)] = Structure.MIDDLE_EAR

    def _density(self, ear: Points, labels: Labels, at: Distance) -> npt.NDArray[np.float32]:
        """Mineral of the bone relative to petrous bone; 1.14 in the capsule, 0.88 in modiolus."""
        edge = ((CAPSULE_MM - at.labyrinth) / 0.5).clip(0.0, 1.0)
        density = 1.0 + 0.14 * edge + self.variation.mineral.at(ear)[0]
        density[labels == Structure.MODIOLUS] -= 0.2
        return density.astype(np.float32)
