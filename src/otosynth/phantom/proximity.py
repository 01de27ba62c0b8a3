"""How far points are from each part of the anatomy: measured once, read by all that labels."""

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import numpy.typing as npt

from otosynth.phantom.canals import Labyrinth
from otosynth.phantom.cochlea import Cochlea, DuctPoints
from otosynth.phantom.middle_ear import (
    EAR_CANAL,
    OSSICLES,
    OVAL_WINDOW,
    ROUND_WINDOW,
    TENSOR_TYMPANI,
)
from otosynth.phantom.nerves_vessels import NERVE_BRANCHES
from otosynth.phantom.shapes import Cloud, Distances, along, unit
from otosynth.phantom.surroundings import Surroundings
from otosynth.phantom.variation import Variation

PROMONTORY_MM = 0.6
"""Bone between the labyrinth and the middle ear, mm."""
LEAST_WALL_MM = 0.1
"""Bone between air cells or marrow and all else, where the wall is thinner or wanting, mm."""

_POSTERIOR_FOSSA_NORMAL = unit([0.62, 0.78, 0.05])
_UNDULATION_MM = 0.5
# By this times a random field of root mean square 0.6 a thin wall is thicker or thinner, whatever
# its mean: so an ear with thin walls has dehiscences, and one with thick walls has none.
_WALL_VARIES_MM = 0.25
# Distances to ellipsoids and to the cochlear duct are first order and fall short of true ones, so
# these are asked up to here, which exceeds by far what any capsule and rounded corner takes.
_FAR_ENOUGH_MM = 2.0


def thickest_wall_mm(variation: Variation) -> float:
    """Return what no thin wall of an ear exceeds, mm."""
    thickest = variation.thin_wall_mm + _WALL_VARIES_MM * variation.wall.bound
    return max(thickest, LEAST_WALL_MM)


@dataclass(frozen=True)
class Proximity:
    """Signed distances (n,) in mm of points to the parts, negative inside, right up to a reach.

    ``duct`` tells more of the points near the cochlear duct, whose index (k,) is ``near_duct``.
    ``wall`` is how thick a thin wall is there, mm; 0 or less where bone is wanting (a dehiscence).
    """

    duct: DuctPoints
    near_duct: npt.NDArray[np.intp]
    vestibule: Distances
    lateral_canal: Distances
    superior_canal: Distances
    posterior_canal: Distances
    middle_ear: Distances
    facial_nerve: Distances
    auditory_canal: Distances
    nerve_branches: Distances
    large_vessels: Distances
    tensor_tympani: Distances
    ear_canal: Distances
    ossicles: Distances
    oval_window: Distances
    round_window: Distances
    cranium: Distances
    wall: Distances

    @cached_property
    def labyrinth(self) -> Distances:
        """Distance (n,) to the nearest of duct, vestibule and canals."""
        nearest = reduce(
            np.minimum,
            [self.vestibule, self.lateral_canal, self.superior_canal, self.posterior_canal],
        )
        at = self.near_duct
        nearest[at] = np.minimum(nearest[at], self.duct.distance)
        return nearest

    @cached_property
    def nerves(self) -> Distances:
        """Distance (n,) to the nearer of facial nerve and internal auditory canal."""
        return np.minimum(self.facial_nerve, self.auditory_canal)

    @cached_property
    def vessels(self) -> Distances:
        """Distance (n,) to the nearer of large vessels and tensor tympani."""
        return np.minimum(self.large_vessels, self.tensor_tympani)


def measure(
    ear: Cloud,
    bent: Cloud,
    variation: Variation,
    cochlea: Cochlea,
    labyrinth: Labyrinth,
    around: Surroundings,
    reach_mm: float,
) -> Proximity:
    """Measure how far points are from each part of an ear.

    Parameters
    ----------
    ear
        Points of the frame of the right ear.
    bent
        The same, moved as the air cells are: the walls of the middle ear are as irregular.
    variation, cochlea, labyrinth, around
        The ear.
    reach_mm
        Up to where distances to nerves, canals and windows matter.
    """
    near_duct = ear.within(cochlea.box, _FAR_ENOUGH_MM)
    wave = variation.wall.at(ear.points)[0]
    return Proximity(
        duct=cochlea.locate(ear.points[:, near_duct]),
        near_duct=near_duct,
        vestibule=labyrinth.vestibule.distance(ear, _FAR_ENOUGH_MM),
        lateral_canal=labyrinth.lateral.distance(ear, _FAR_ENOUGH_MM),
        superior_canal=labyrinth.superior.distance(ear, _FAR_ENOUGH_MM),
        posterior_canal=labyrinth.posterior.distance(ear, _FAR_ENOUGH_MM),
        middle_ear=around.middle_ear.distance(bent, _FAR_ENOUGH_MM),
        facial_nerve=around.facial_nerve.distance(ear, reach_mm),
        auditory_canal=around.auditory_canal.distance(ear, reach_mm),
        nerve_branches=NERVE_BRANCHES.distance(ear, reach_mm),
        large_vessels=around.vessels.distance(ear, _FAR_ENOUGH_MM),
        tensor_tympani=TENSOR_TYMPANI.distance(ear, reach_mm),
        ear_canal=EAR_CANAL.distance(ear, reach_mm),
        ossicles=OSSICLES.distance(ear, variation.mucosa_mm),
        oval_window=OVAL_WINDOW.distance(ear, reach_mm),
        round_window=ROUND_WINDOW.distance(ear, reach_mm),
        cranium=_to_cranium(ear, wave, variation),
        wall=variation.thin_wall_mm + _WALL_VARIES_MM * wave,
    )


def _to_cranium(ear: Cloud, wave: Distances, variation: Variation) -> Distances:
    """Distance (n,) to the cranial cavity: above the tegmen, or behind the posterior surface."""
    x, y, z = ear.points
    undulation = _UNDULATION_MM * np.sin(0.5 * x) * np.sin(0.6 * y + 1.0) + _UNDULATION_MM * wave
    above = z - variation.tegmen_mm + undulation
    behind = along(ear.points, _POSTERIOR_FOSSA_NORMAL, np.zeros(3)) - variation.posterior_fossa_mm
    return -np.maximum(above, behind + undulation)
