"""Solids round the labyrinth: middle ear, ossicles, windows, nerves, vessels, small canals.

Frame of the right ear (LPS, mm from the foot of the modiolus). What is fixed to the labyrinth is
the same in every ear; what lies round it is moved and scaled by an ear's own variation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from otosynth.phantom.shapes import Ellipsoid, Solid, Tube, Vector, tube
from otosynth.phantom.variation import Variation

_MIDDLE_EAR: list[Solid] = [
    Ellipsoid((-6.6, 1.0, 0.0), (2.7, 5.2, 5.6)),  # mesotympanum, hypotympanum
    Ellipsoid((-7.2, 2.4, 5.2), (2.7, 3.9, 3.0)),  # epitympanum
    Ellipsoid((-7.6, 8.0, 5.0), (2.6, 3.6, 3.0)),  # antrum
    tube([(-6.0, -2.0, -1.0), (-3.6, -11.0, -5.0), (0.0, -22.0, -11.0)], 1.6),  # auditory tube
]
_MIDDLE_EAR_MIDDLE = np.array([-6.8, 1.5, 1.0])

OSSICLES: list[Solid] = [
    tube([(-8.2, 1.2, 5.2), (-8.2, 1.0, 4.2), (-8.3, 0.7, -0.4)], [1.2, 0.8, 0.4]),  # malleus
    tube([(-7.8, 3.0, 5.2), (-6.9, 3.4, 2.6), (-6.4, 3.4, 0.9)], [1.2, 0.5, 0.4]),  # incus
    tube([(-6.4, 3.4, 0.9), (-5.7, 3.5, 0.9)], [0.45, 0.4]),  # head of the stapes
    tube([(-5.7, 3.5, 0.9), (-3.7, 2.9, 0.9)], 0.22),  # its anterior crus
    tube([(-5.7, 3.5, 0.9), (-3.7, 4.2, 0.9)], 0.22),  # its posterior crus
]

# Each window is a tunnel from the labyrinth to the middle ear; a membrane closes it.
OVAL_WINDOW: list[Solid] = [
    tube([(-1.8, 2.9, 0.9), (-5.2, 2.9, 0.9)], 0.75),
    tube([(-1.8, 3.5, 0.9), (-5.2, 3.5, 0.9)], 0.75),
    tube([(-1.8, 4.1, 0.9), (-5.2, 4.1, 0.9)], 0.75),
]
ROUND_WINDOW: list[Solid] = [
    tube([(-2.6, 3.2, -0.9), (-3.4, 4.6, -1.7), (-5.0, 5.2, -2.2), (-6.6, 4.6, -2.4)], 0.8)
]

# Scala vestibuli opens into the vestibule.
VESTIBULAR_OPENING: list[Solid] = [
    tube([(-3.4, 2.4, -0.9), (-3.2, 2.6, 0.3), (-2.2, 3.8, 1.0)], [0.6, 0.65, 0.8])
]

FUNDUS = (1.9, 1.9, 0.9)
NERVE_BRANCHES: list[Solid] = [
    tube([(0.7, 0.75, 0.2), FUNDUS], [0.7, 1.0]),  # to the cochlea
    tube([FUNDUS, (-0.4, 4.0, 2.4)], 0.4),  # to the utricle
    tube([FUNDUS, (-0.4, 4.4, 0.6)], 0.35),  # to the saccule
]
# From the vestibule's wall back to the posterior fossa, and from scala tympani down.
VESTIBULAR_AQUEDUCT: list[Solid] = [
    tube(
        [(-0.6, 5.6, 2.4), (0.6, 7.4, 3.6), (3.0, 10.0, 1.6), (6.0, 14.0, -1.0)],
        [0.15, 0.2, 0.4, 0.6],
    )
]
COCHLEAR_AQUEDUCT: list[Solid] = [
    tube([(-2.0, 3.0, -1.8), (0.8, 4.2, -5.5), (3.6, 5.6, -10.0)], [0.12, 0.2, 0.5])
]
# Of the vessels under the superior canal, of the nerve to the posterior ampulla, of Jacobson's
# nerve, of the greater petrosal nerve and of the chorda tympani.
NAMED_SMALL_CANALS: list[Solid] = [
    tube([(-0.5, 3.4, 6.0), (2.5, 5.0, 6.4), (6.0, 7.0, 6.2)], [0.25, 0.35, 0.5]),
    tube([(4.2, 3.4, 0.3), (1.6, 5.4, -0.4), (-0.4, 6.8, -0.6)], [0.25, 0.18, 0.18]),
    tube([(-3.4, 0.4, -8.0), (-3.6, 0.0, -4.0), (-4.0, -0.5, 0.5)], 0.18),
    tube([(-2.2, -1.7, 4.5), (0.5, -4.5, 5.2), (5.0, -9.5, 5.0)], [0.3, 0.25, 0.25]),
    tube([(-6.4, 7.8, -6.0), (-7.6, 6.6, -2.0), (-9.0, 4.5, 0.2)], 0.2),
]
_VASCULAR_CANALS = 26
_VASCULAR_STEPS = 5
_VASCULAR_EXTENT_MM = 9.0


@dataclass(frozen=True)
class Surroundings:
    """What lies round one ear's labyrinth."""

    middle_ear: Sequence[Solid]
    ear_canal: Sequence[Solid]
    auditory_canal: Sequence[Solid]
    facial_nerve: Sequence[Solid]
    vessels: Sequence[Solid]
    tensor_tympani: Sequence[Solid]
    small_canals: Sequence[Solid]


def _scaled(solid: Solid, factors: Vector, middle: Vector, offset: Vector) -> Solid:
    """Return a solid scaled about a point and moved; a tube keeps its radii."""
    if isinstance(solid, Tube):
        return replace(solid, path=(solid.path - middle) * factors + middle + offset)
    assert isinstance(solid, Ellipsoid)
    centre = (np.array(solid.centre) - middle) * factors + middle + offset
    axes = np.array(solid.semi_axes_mm) * factors
    return Ellipsoid(
        (float(centre[0]), float(centre[1]), float(centre[2])),
        (float(axes[0]), float(axes[1]), float(axes[2])),
    )


def _vascular_canals(seed: int) -> list[Solid]:
    """Draw winding canals of 0.15 to 0.5 mm that cross the bone."""
    rng = np.random.default_rng(seed)
    canals: list[Solid] = []
    for _ in range(_VASCULAR_CANALS):
        path = [rng.uniform(-_VASCULAR_EXTENT_MM, _VASCULAR_EXTENT_MM, size=3)]
        direction = rng.standard_normal(3)
        for _ in range(_VASCULAR_STEPS):
            direction = direction / np.sqrt((direction**2).sum()) + 0.5 * rng.standard_normal(3)
            step = direction / np.sqrt((direction**2).sum())
            path.append(path[-1] + rng.uniform(1.0, 2.0) * step)
        canals.append(tube(path, rng.uniform(0.08, 0.25)))
    return canals


def surroundings(variation: Variation) -> Surroundings:
    """Return what lies round an ear's labyrinth, by its variation."""
    v = variation
    nerve, vessel = v.nerve_offset_mm, v.vessel_offset_mm
    width = v.auditory_canal_width
    return Surroundings(
        middle_ear=[
            _scaled(solid, v.middle_ear_scale, _MIDDLE_EAR_MIDDLE, v.middle_ear_offset_mm)
            for solid in _MIDDLE_EAR
        ],
        ear_canal=[tube([(-11.2, 0.8, -0.8), (-30.0, 2.5, 1.0)], [3.6, 4.2])],
        auditory_canal=[
            tube(
                [FUNDUS, np.array([8.5, 4.2, 1.4]) + nerve, np.array([13.0, 6.0, 1.6]) + nerve],
                [1.6, 2.4 * width, 3.2 * width],
            )
        ],
        facial_nerve=[_facial_nerve(nerve)],
        vessels=[*_large_vessels(vessel)],
        tensor_tympani=[
            tube(
                np.array(
                    [(-5.0, 0.2, 2.8), (-4.3, -2.5, 1.6), (-2.0, -9.0, -1.4), (0.0, -15.0, -4.0)]
                )
                + v.middle_ear_offset_mm,
                [0.6, 0.9, 1.0, 1.0],
            )
        ],
        small_canals=[*NAMED_SMALL_CANALS, *_vascular_canals(v.vessel_seed)],
    )


def _facial_nerve(offset: npt.NDArray[np.float64]) -> Tube:
    path = np.array(
        [
            (2.4, 1.6, 1.9),
            (0.2, -0.9, 4.1),
            (-2.2, -1.7, 4.5),  # geniculate ganglion
            (-5.0, 1.2, 3.2),
            (-5.5, 3.6, 2.5),
            (-6.2, 6.0, 1.2),
            (-6.3, 7.4, -0.6),
            (-6.4, 7.8, -9.0),
            (-6.4, 7.8, -22.0),
        ]
    )
    path[1:] += offset
    return tube(path, [0.5, 0.55, 0.9, 0.6, 0.6, 0.65, 0.65, 0.7, 0.75])


def _large_vessels(offset: npt.NDArray[np.float64]) -> list[Solid]:
    """Return the carotid canal and the jugular bulb."""
    carotid = np.array(
        [
            (-2.5, -4.5, -22.0),
            (-1.1, -6.2, -9.0),
            (-0.2, -7.4, -5.6),
            (3.0, -9.8, -4.2),
            (14.0, -16.0, -1.0),
        ]
    )
    # The carotid keeps its distance from the cochlea: it moves half as far as the bulb.
    x, y, z = (float(k) for k in np.array([1.5, 6.5, -12.0]) + offset)
    return [tube(carotid + 0.5 * offset, 2.4), Ellipsoid((x, y, z), (4.0, 4.0, 4.5))]
