"""Solids round the labyrinth: middle ear, ossicles, windows, nerves, vessels, cranial cavity.

Frame of the right ear (LPS, mm from the foot of the modiolus).
"""

from otosynth.phantom.shapes import Ellipsoid, Solid, tube

MIDDLE_EAR: list[Solid] = [
    Ellipsoid((-6.6, 1.0, 0.0), (2.7, 5.2, 5.6)),  # mesotympanum, hypotympanum
    Ellipsoid((-7.2, 2.4, 5.2), (2.7, 3.9, 3.0)),  # epitympanum
    Ellipsoid((-7.6, 8.0, 5.0), (2.6, 3.6, 3.0)),  # antrum
    tube([(-6.0, -2.0, -1.0), (-3.6, -11.0, -5.0), (0.0, -22.0, -11.0)], 1.6),  # auditory tube
]

OSSICLES: list[Solid] = [
    tube([(-8.2, 1.2, 5.2), (-8.2, 1.0, 4.2), (-8.3, 0.7, -0.4)], [1.2, 0.8, 0.4]),  # malleus
    tube([(-7.8, 3.0, 5.2), (-6.9, 3.4, 2.6), (-6.4, 3.4, 0.9)], [1.2, 0.5, 0.4]),  # incus
    tube([(-6.4, 3.4, 0.9), (-5.7, 3.5, 0.9)], [0.45, 0.4]),  # head of the stapes
    tube([(-5.7, 3.5, 0.9), (-3.7, 2.9, 0.9)], 0.22),  # its anterior crus
    tube([(-5.7, 3.5, 0.9), (-3.7, 4.2, 0.9)], 0.22),  # its posterior crus
]

EAR_CANAL: list[Solid] = [tube([(-11.2, 0.8, -0.8), (-30.0, 2.5, 1.0)], [3.6, 4.2])]

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
INTERNAL_AUDITORY_CANAL: list[Solid] = [
    tube([FUNDUS, (8.5, 4.2, 1.4), (13.0, 6.0, 1.6)], [1.9, 2.4, 3.2])
]
NERVE_BRANCHES: list[Solid] = [
    tube([(0.7, 0.75, 0.2), FUNDUS], [0.7, 1.0]),  # to the cochlea
    tube([FUNDUS, (-0.4, 4.0, 2.4)], 0.4),  # to the utricle
    tube([FUNDUS, (-0.4, 4.4, 0.6)], 0.35),  # to the saccule
]
FACIAL_NERVE: list[Solid] = [
    tube(
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
        ],
        [0.55, 0.6, 0.95, 0.65, 0.65, 0.7, 0.7, 0.75, 0.8],
    )
]
CAROTID_CANAL: list[Solid] = [
    tube(
        [
            (-2.5, -4.5, -22.0),
            (-1.5, -5.2, -8.0),
            (-0.6, -6.4, -4.6),
            (3.0, -9.0, -3.2),
            (14.0, -16.0, -1.0),
        ],
        2.4,
    )
]
TENSOR_TYMPANI: list[Solid] = [
    tube(
        [(-5.0, 0.2, 2.8), (-4.3, -2.5, 1.6), (-2.0, -9.0, -1.4), (0.0, -15.0, -4.0)],
        [0.6, 0.9, 1.0, 1.0],
    )
]
JUGULAR_BULB: list[Solid] = [Ellipsoid((1.5, 6.5, -11.0), (4.0, 4.0, 4.5))]
