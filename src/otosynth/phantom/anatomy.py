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
from otosynth.phantom.spongy import draw_marrow_spaces
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Structure
from otosynth.phantom.variation import Variation
from otosynth.tissues import BONE

CENTRE = np.array([-2.8, 2.2, 0.5])
"""Point of the right ear that an ear without offset has in the middle of the micro-CT, mm."""

_PROMONTORY_MM = 0.6
_CORTEX_MM = 0.15
_MEMBRANE_MM = 0.36
_CORNER_MM = 0.2
_REACH_MM = 2.0
_CAPSULE_EDGE_MM = 0.4

# Mineral relative to compact petrous bone, which is 1500 HU above water in the CT. The otic
# capsule is the densest bone of the body; trabeculae and septa are less mineralised.
_CAPSULE_DENSITY = 1.36
_TRABECULAR_DENSITY = 0.95
_SEPTUM_DENSITY = 0.85
_OSSICLE_DENSITY = 1.05
_MODIOLUS_DENSITY = 0.8

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Distance:
    """Signed distances (n,) in mm to what the air spaces keep away from.

    ``wall`` is how thick a thin wall is there, mm; 0 or less where bone is wanting (a dehiscence).
    """

    labyrinth: Distances
    middle_ear: Distances
    nerves: Distances
    vessels: Distances
    cranium: Distances
    wall: Distances


def _room(at: Distance) -> Distances:
    """Distance (n,) into the bone that air cells or marrow may take, mm; negative outside it."""
    wall = np.maximum(at.wall, 0.1)
    return np.minimum.reduce(
        [
            at.labyrinth - _PROMONTORY_MM,
            at.middle_ear - wall,
            at.nerves - wall,
            at.vessels - wall,
            at.cranium - wall,
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
        self.round = parts.surroundings(variation)
        self.marrow = draw_marrow_spaces(variation)
        self.cells: AirCells = draw_cells(variation)
        seeds = self.cells.seeds.T.astype(np.float32)
        self.cells = self.cells.without_cramped(_room(self._distances(seeds)))

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
        self._label_cells(labels, ear, distance)
        labels[distance.labyrinth < self.variation.capsule_mm] = Structure.OTIC_CAPSULE
        self._label_middle_ear(labels, ear, distance)
        self._label_soft_tubes(labels, ear, distance)
        self._label_labyrinth(labels, ear)
        self._label_windows(labels, ear, distance)
        return labels, self._density(ear, labels, distance)

    def _distances(self, ear: Points) -> Distance:
        v, lab, around = self.variation, self.labyrinth, self.round
        cochlea = np.full(ear.shape[1], FAR_MM, dtype=np.float32)
        inside = np.flatnonzero(inside_box(ear, self.cochlea.box, _REACH_MM))
        if inside.size:
            cochlea[inside] = self.cochlea.locate(ear[:, inside]).distance
        vestibule = distance_near(lab.vestibule + parts.VESTIBULAR_OPENING, ear, _REACH_MM)
        canals = distance_near(lab.lateral + lab.superior + lab.posterior, ear, _REACH_MM)
        wall = v.wall.at(ear)[0]
        undulation = 0.5 * np.sin(0.5 * ear[0]) * np.sin(0.6 * ear[1] + 1.0) + 0.5 * wall
        posterior = along(ear, unit([0.62, 0.78, 0.05]), np.zeros(3)) - v.posterior_fossa_mm
        return Distance(
            labyrinth=np.minimum(np.minimum(cochlea, vestibule), canals),
            # Bent like the cells, so that the walls of the cavity are as irregular as theirs.
            middle_ear=distance_near(around.middle_ear, ear + self.cells.bend.at(ear), _REACH_MM),
            nerves=distance_near([*around.facial_nerve, *around.auditory_canal], ear, _REACH_MM),
            vessels=distance_near([*around.vessels, *around.tensor_tympani], ear, _REACH_MM),
            cranium=-np.maximum(ear[2] - v.tegmen_mm + undulation, posterior + undulation),
            wall=v.thin_wall_mm * (1.0 + 1.5 * wall),
        )

    def _label_cells(self, labels: Labels, ear: Points, at: Distance) -> None:
        """Label air cells with their mucosa and, where there are none, spongy bone."""
        room = _room(at)
        possible = np.flatnonzero(room > 0.0)
        if not possible.size:
            return
        v, room = self.variation, room[possible]
        points = ear[:, possible]
        at_cell = self.cells.locate(points)
        nearest, next_ = (wall - 0.5 * v.septum_mm for wall in at_cell.walls_mm)
        depth = rounded_minimum([np.maximum(nearest, at_cell.opening_mm), next_, room], _CORNER_MM)
        cell = np.where(depth > v.mucosa_mm, Structure.AIR_CELLS, Structure.MUCOSA)
        cell = np.where(at_cell.filled, Structure.FILLED_CELLS, cell)
        open_ = at_cell.hollow & (depth > 0.0)
        labels[possible[open_]] = cell[open_]
        # The cortex parts marrow from every surface, the wall of a hollow neighbour among them.
        inner = (room > _CORTEX_MM) & (~at_cell.beside_hollow | (nearest > 0.0))
        spongy = ~at_cell.hollow & inner
        labels[possible[spongy]] = self._spongy(points[:, spongy])

    def _spongy(self, ear: Points) -> Labels:
        """Trabeculae or marrow (n,) at points (3, n)."""
        v = self.variation
        marrow = self.marrow.depth(ear, 1.0 + v.diploe.at(ear)[0]) > 0.0
        return np.where(marrow, Structure.MARROW, Structure.TRABECULAE).astype(np.uint8)

    def _label_middle_ear(self, labels: Labels, ear: Points, at: Distance) -> None:
        mucosa, around = self.variation.mucosa_mm, self.round
        cavity = np.maximum.reduce(
            [
                at.middle_ear,
                _PROMONTORY_MM - at.labyrinth,
                at.wall - at.nerves,
                at.wall - at.vessels,
                at.wall - at.cranium,
            ]
        )
        labels[cavity < 0.0] = Structure.MUCOSA
        labels[cavity < -mucosa] = Structure.MIDDLE_EAR
        canal = distance_near(around.ear_canal, ear, _REACH_MM)
        outside = (canal < 0.0) & (at.middle_ear > 0.0)
        labels[outside] = Structure.TYMPANIC_MEMBRANE
        labels[outside & (canal < -mucosa) & (at.middle_ear > _MEMBRANE_MM)] = Structure.EAR_CANAL
        ossicles = distance_near(parts.OSSICLES, ear, _REACH_MM)
        in_air = cavity < 0.0
        labels[in_air & (ossicles < mucosa)] = Structure.MUCOSA
        labels[in_air & (ossicles < 0.0)] = Structure.OSSICLES

    def _label_soft_tubes(self, labels: Labels, ear: Points, at: Distance) -> None:
        around = self.round
        self._label_small_canals(labels, ear, at)
        for solids, structure in (
            (around.facial_nerve, Structure.FACIAL_NERVE),
            (around.vessels, Structure.CAROTID_CANAL),
            (around.tensor_tympani, Structure.TENSOR_TYMPANI),
            (parts.NERVE_BRANCHES, Structure.COCHLEAR_NERVE),
            (around.auditory_canal, Structure.INTERNAL_AUDITORY_CANAL),
        ):
            labels[distance_near(solids, ear, 0.0) < 0.0] = structure
        labels[at.cranium < 0.0] = Structure.CRANIAL_CAVITY

    def _label_small_canals(self, labels: Labels, ear: Points, at: Distance) -> None:
        """Canals of small nerves and vessels: they cross bone, and end at air."""
        for solids, structure, away_mm in (
            (self.round.small_canals, Structure.SMALL_CANALS, 0.4),
            (parts.VESTIBULAR_AQUEDUCT, Structure.VESTIBULAR_AQUEDUCT, 0.0),
            (parts.COCHLEAR_AQUEDUCT, Structure.COCHLEAR_AQUEDUCT, 0.0),
        ):
            within = distance_near(solids, ear, 0.0) < 0.0
            bone = CLASS_OF_STRUCTURE[labels] == BONE
            labels[within & bone & (at.labyrinth > away_mm)] = structure

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
            open_ = beyond & (tunnel < -0.25) & (at.nerves > np.maximum(at.wall, 0.1))
            labels[open_] = Structure.MIDDLE_EAR

    def _density(self, ear: Points, labels: Labels, at: Distance) -> npt.NDArray[np.float32]:
        """Mineral of the bone (n,) relative to compact petrous bone."""
        v = self.variation
        depth = ((v.capsule_mm + _CAPSULE_EDGE_MM - at.labyrinth) / _CAPSULE_EDGE_MM).clip(0.0, 1.0)
        density = 1.0 + (_CAPSULE_DENSITY - 1.0) * depth
        for structure, value in (
            (Structure.TRABECULAE, _TRABECULAR_DENSITY),
            (Structure.OSSICLES, _OSSICLE_DENSITY),
            (Structure.MODIOLUS, _MODIOLUS_DENSITY),
        ):
            density[labels == structure] = value
        return (density * (1.0 + v.mineral.at(ear)[0])).clip(0.6, 1.5).astype(np.float32)
