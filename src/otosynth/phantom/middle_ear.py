"""The middle ear: its cavity, ossicles, windows, tensor tympani, and the ear canal.

Frame of the right ear (LPS, mm from the foot of the modiolus).
"""

import numpy as np

from otosynth.phantom.shapes import Ellipsoid, Tube, Union, Vector, tube

# An ear's own middle ear is these, scaled about their middle and moved.
_CHAMBERS = [
    Ellipsoid((-6.6, 1.0, 0.0), (2.7, 5.2, 5.6)),  # mesotympanum, hypotympanum
    Ellipsoid((-7.2, 2.4, 5.2), (2.7, 3.9, 3.0)),  # epitympanum
    Ellipsoid((-7.6, 8.0, 5.0), (2.6, 3.6, 3.0)),  # antrum
]
_AUDITORY_TUBE = tube([(-6.0, -2.0, -1.0), (-3.6, -11.0, -5.0), (0.0, -22.0, -11.0)], 1.6)
_MIDDLE = np.array([-6.8, 1.5, 1.0])

ANTRUM = np.array(_CHAMBERS[2].centre)
"""Centre of the antrum, mm, before scaling."""

OSSICLES = Union(
    [
        tube([(-8.2, 1.2, 5.2), (-8.2, 1.0, 4.2), (-8.3, 0.7, -0.4)], [1.2, 0.8, 0.4]),  # malleus
        tube([(-7.8, 3.0, 5.2), (-6.9, 3.4, 2.6), (-6.4, 3.4, 0.9)], [1.2, 0.5, 0.4]),  # incus
        tube([(-6.4, 3.4, 0.9), (-5.7, 3.5, 0.9)], [0.45, 0.4]),  # head of the stapes
        tube([(-5.7, 3.5, 0.9), (-3.7, 2.9, 0.9)], 0.22),  # its anterior crus
        tube([(-5.7, 3.5, 0.9), (-3.7, 4.2, 0.9)], 0.22),  # its posterior crus
    ]
)

# Each window is a tunnel from the labyrinth to the middle ear; a membrane closes it.
OVAL_WINDOW = Union([tube([(-1.8, y, 0.9), (-5.2, y, 0.9)], 0.75) for y in (2.9, 3.5, 4.1)])
ROUND_WINDOW = Union(
    [tube([(-2.6, 3.2, -0.9), (-3.4, 4.6, -1.7), (-5.0, 5.2, -2.2), (-6.6, 4.6, -2.4)], 0.8)]
)

EAR_CANAL = Union([tube([(-11.2, 0.8, -0.8), (-30.0, 2.5, 1.0)], [3.6, 4.2])])
TENSOR_TYMPANI = Union(
    [
        tube(
            [(-5.0, 0.2, 2.8), (-4.3, -2.5, 1.6), (-2.0, -9.0, -1.4), (0.0, -15.0, -4.0)],
            [0.6, 0.9, 1.0, 1.0],
        )
    ]
)


def cavity(scale: Vector, offset_mm: Vector) -> Union:
    """Return the cavity of an ear, scaled (3,) about its middle and moved (3,).

    The tube keeps its width.
    """

    def place(point: Vector) -> Vector:
        return (point - _MIDDLE) * scale + _MIDDLE + offset_mm

    chambers = []
    for chamber in _CHAMBERS:
        x, y, z = (float(k) for k in place(np.array(chamber.centre)))
        a, b, c = (float(k) for k in np.array(chamber.semi_axes_mm) * scale)
        chambers.append(Ellipsoid((x, y, z), (a, b, c)))
    return Union([*chambers, Tube(place(_AUDITORY_TUBE.path), _AUDITORY_TUBE.radii_mm)])
