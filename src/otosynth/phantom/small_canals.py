"""Canals of tenths of a millimetre: the aqueducts, and canals of small nerves and vessels.

Frame of the right ear (LPS, mm from the foot of the modiolus). The named ones are the same in
every ear, save for its deformation; vascular canals are drawn anew.
"""

import numpy as np

from otosynth.phantom.shapes import Solid, Union, tube

VESTIBULAR_AQUEDUCT = Union(
    [
        tube(
            [(-0.6, 5.6, 2.4), (0.6, 7.4, 3.6), (3.0, 10.0, 1.6), (6.0, 14.0, -1.0)],
            [0.15, 0.2, 0.4, 0.6],
        )
    ]
)
"""From the vestibule's wall back to the posterior fossa."""

COCHLEAR_AQUEDUCT = Union(
    [tube([(-2.0, 3.0, -1.8), (0.8, 4.2, -5.5), (3.6, 5.6, -10.0)], [0.12, 0.2, 0.5])]
)
"""From scala tympani beside the round window down to the subarachnoid space."""

_NAMED: list[Solid] = [
    # Vessels under the superior canal: the subarcuate canal.
    tube([(-0.5, 3.4, 6.0), (2.5, 5.0, 6.4), (6.0, 7.0, 6.2)], [0.25, 0.35, 0.5]),
    # Nerve to the posterior ampulla: the singular canal.
    tube([(4.2, 3.4, 0.3), (1.6, 5.4, -0.4), (-0.4, 6.8, -0.6)], [0.25, 0.18, 0.18]),
    # Tympanic nerve (Jacobson).
    tube([(-3.4, 0.4, -8.0), (-3.6, 0.0, -4.0), (-4.0, -0.5, 0.5)], 0.18),
    # Greater petrosal nerve.
    tube([(-2.2, -1.7, 4.5), (0.5, -4.5, 5.2), (5.0, -9.5, 5.0)], [0.3, 0.25, 0.25]),
    # Chorda tympani.
    tube([(-6.4, 7.8, -6.0), (-7.6, 6.6, -2.0), (-9.0, 4.5, 0.2)], 0.2),
]

_VASCULAR_COUNT = 26
_VASCULAR_STEPS = 5
_VASCULAR_STEP_MM = (1.0, 2.0)
_VASCULAR_RADIUS_MM = (0.08, 0.25)
_VASCULAR_EXTENT_MM = 9.0
# How far a canal turns from step to step; 0 is straight on.
_VASCULAR_WINDING = 0.5


def small_canals(seed: int) -> Union:
    """Return the canals of small nerves and the vascular canals that a seed draws."""
    return Union([*_NAMED, *_vascular_canals(seed)])


def _vascular_canals(seed: int) -> list[Solid]:
    """Draw winding canals of 0.16 to 0.5 mm that cross the bone."""
    rng = np.random.default_rng(seed)
    canals: list[Solid] = []
    for _ in range(_VASCULAR_COUNT):
        path = [rng.uniform(-_VASCULAR_EXTENT_MM, _VASCULAR_EXTENT_MM, size=3)]
        direction = rng.standard_normal(3)
        for _ in range(_VASCULAR_STEPS):
            direction = direction / np.sqrt((direction**2).sum())
            direction = direction + _VASCULAR_WINDING * rng.standard_normal(3)
            step = direction / np.sqrt((direction**2).sum())
            path.append(path[-1] + rng.uniform(*_VASCULAR_STEP_MM) * step)
        canals.append(tube(path, rng.uniform(*_VASCULAR_RADIUS_MM)))
    return canals
