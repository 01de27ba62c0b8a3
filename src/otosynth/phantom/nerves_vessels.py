"""The nerves with their canals, and the large vessels.

Frame of the right ear (LPS, mm from the foot of the modiolus). The branches in the labyrinth are
the same in every ear; what lies outside it is moved by an ear's own variation.
"""

import numpy as np

from otosynth.phantom.shapes import Ellipsoid, Union, Vector, tube

_FUNDUS = (1.9, 1.9, 0.9)
NERVE_BRANCHES = Union(
    [
        tube([(0.7, 0.75, 0.2), _FUNDUS], [0.7, 1.0]),  # to the cochlea
        tube([_FUNDUS, (-0.4, 4.0, 2.4)], 0.4),  # to the utricle
        tube([_FUNDUS, (-0.4, 4.4, 0.6)], 0.35),  # to the saccule
    ]
)

_FACIAL_NERVE = np.array(
    [
        (2.4, 1.6, 1.9),  # fundus
        (0.2, -0.9, 4.1),
        (-2.2, -1.7, 4.5),  # geniculate ganglion
        (-5.0, 1.2, 3.2),
        (-5.5, 3.6, 2.5),
        (-6.2, 6.0, 1.2),
        (-6.3, 7.4, -0.6),  # second genu
        (-6.4, 7.8, -9.0),
        (-6.4, 7.8, -22.0),
    ]
)
_FACIAL_NERVE_RADII_MM = [0.5, 0.55, 0.9, 0.6, 0.6, 0.65, 0.65, 0.7, 0.75]
_CAROTID = np.array(
    [
        (-2.5, -4.5, -22.0),
        (-1.1, -6.2, -9.0),
        (-0.2, -7.4, -5.6),
        (3.0, -9.8, -4.2),
        (14.0, -16.0, -1.0),
    ]
)
_CAROTID_RADIUS_MM = 2.4
# The carotid keeps its distance from the cochlea: it moves half as far as the jugular bulb.
_CAROTID_SHARE = 0.5
_JUGULAR_BULB = np.array([1.5, 6.5, -12.0])
_JUGULAR_SEMI_AXES_MM = (4.0, 4.0, 4.5)


def auditory_canal(offset_mm: Vector, width: float) -> Union:
    """Return the internal auditory canal from its fundus, which stays, to beyond its porus."""
    porus, beyond = np.array([8.5, 4.2, 1.4]), np.array([13.0, 6.0, 1.6])
    path = np.stack([np.array(_FUNDUS), porus + offset_mm, beyond + offset_mm])
    return Union([tube(path, [1.6, 2.4 * width, 3.2 * width])])


def facial_nerve(offset_mm: Vector) -> Union:
    """Return the facial nerve from the fundus, which stays, to the stylomastoid foramen."""
    path = _FACIAL_NERVE.copy()
    path[1:] += offset_mm
    return Union([tube(path, _FACIAL_NERVE_RADII_MM)])


def large_vessels(offset_mm: Vector) -> Union:
    """Return the carotid canal and the jugular bulb."""
    carotid = tube(_CAROTID + _CAROTID_SHARE * offset_mm, _CAROTID_RADIUS_MM)
    x, y, z = (float(k) for k in _JUGULAR_BULB + offset_mm)
    return Union([carotid, Ellipsoid((x, y, z), _JUGULAR_SEMI_AXES_MM)])
