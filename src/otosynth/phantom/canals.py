"""The vestibule and the three semicircular canals, at right angles to each other.

Frame of the right ear (LPS, mm from the foot of the modiolus), with the lateral canal's plane
horizontal, as clinical CT of the temporal bone is usually displayed.
"""

from dataclasses import dataclass

import numpy as np

from otosynth.phantom.shapes import Arc, Ellipsoid, Tube, Union, Vector, tube, unit

VESTIBULE_CENTRE = np.array([-1.5, 4.5, 1.6])
"""Centre of the vestibule, mm."""

UP = np.array([0.0, 0.0, 1.0])
ANTEROLATERAL = unit([-1.0, -1.0, 0.0])
POSTEROLATERAL = unit([-1.0, 1.0, 0.0])

_LUMEN_RADIUS_MM = 0.52
_AMPULLA_RADIUS_MM = 0.85
_COMMON_CRUS = VESTIBULE_CENTRE + np.array([1.1, 1.3, 1.3])
# Scala vestibuli opens into the vestibule.
_VESTIBULAR_OPENING = tube(
    [(-3.4, 2.4, -0.9), (-3.2, 2.6, 0.3), (-2.2, 3.8, 1.0)], [0.6, 0.65, 0.8]
)


@dataclass(frozen=True)
class Labyrinth:
    """The vestibule, with its opening into the cochlea, and the canals with their ends."""

    vestibule: Union
    lateral: Union
    superior: Union
    posterior: Union


def _link(point: Vector, radius_mm: float) -> Tube:
    """Widened end of a canal, from a point of its axis into the vestibule."""
    inside = VESTIBULE_CENTRE + 0.35 * (point - VESTIBULE_CENTRE)
    return tube([point, inside], [radius_mm, radius_mm])


def superior_canal(radius_mm: float) -> Arc:
    """Arc that rises from the common crus, in the vertical plane across the petrous bone."""
    angle = np.deg2rad(48.0)
    centre = _COMMON_CRUS + radius_mm * (np.cos(angle) * ANTEROLATERAL + np.sin(angle) * UP)
    normal = np.cross(UP, ANTEROLATERAL)
    return Arc(centre, normal, UP, radius_mm, _LUMEN_RADIUS_MM, np.pi / 2 + angle)


def posterior_canal(radius_mm: float) -> Arc:
    """Arc from the common crus backwards, in the vertical plane along the petrous bone."""
    angle = np.deg2rad(35.0)
    centre = _COMMON_CRUS + radius_mm * (np.cos(angle) * POSTEROLATERAL - np.sin(angle) * UP)
    normal = np.cross(UP, POSTEROLATERAL)
    return Arc(centre, normal, POSTEROLATERAL, radius_mm, _LUMEN_RADIUS_MM, np.pi - angle)


def lateral_canal(radius_mm: float) -> Arc:
    """Horizontal arc behind and lateral to the vestibule."""
    centre = VESTIBULE_CENTRE + 0.85 * radius_mm * POSTEROLATERAL + 1.2 * UP
    return Arc(centre, UP, POSTEROLATERAL, radius_mm, _LUMEN_RADIUS_MM, np.deg2rad(150.0))


def labyrinth(radius_mm: float, lateral_radius_mm: float) -> Labyrinth:
    """Vestibule and canals, given the radius of the vertical canals and of the lateral one, mm."""
    superior = superior_canal(radius_mm)
    posterior = posterior_canal(radius_mm)
    lateral = lateral_canal(lateral_radius_mm)
    sphere = Ellipsoid(tuple(VESTIBULE_CENTRE), (1.5, 2.5, 2.3))
    crus = tube([_COMMON_CRUS, VESTIBULE_CENTRE], [0.7, 0.8])
    return Labyrinth(
        vestibule=Union([sphere, crus, _VESTIBULAR_OPENING]),
        lateral=Union(
            [
                lateral,
                _link(lateral.point_at(lateral.half_angle_rad), _AMPULLA_RADIUS_MM),
                _link(lateral.point_at(-lateral.half_angle_rad), _LUMEN_RADIUS_MM),
            ]
        ),
        superior=Union(
            [superior, _link(superior.point_at(superior.half_angle_rad), _AMPULLA_RADIUS_MM)]
        ),
        posterior=Union(
            [posterior, _link(posterior.point_at(posterior.half_angle_rad), _AMPULLA_RADIUS_MM)]
        ),
    )
