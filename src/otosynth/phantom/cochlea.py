"""The cochlea: Cohen's spiral, its duct with both scalae and the spiral lamina, the modiolus.

Cochlear coordinates are mm from the foot of the modiolar axis: z along the axis towards the
apex, angle theta from the round window. Seen from the apex of a right ear, theta turns
anticlockwise. Sources: L. T. Cohen et al. 1996 for the spiral (formula as in method.md
section 9); lumen, lamina and modiolus are rounded values of the human cochlea.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from otosynth.phantom.shapes import FAR_MM, Box, Distances, Points, Vector, along, unit

ROUND_WINDOW_DEG = 10.3
"""Angle at which the duct begins."""

_APEX_DIRECTION = unit([-0.68, -0.70, -0.20])
_ROUND_WINDOW_DIRECTION = [-0.70, 0.66, -0.22]
_FIRST_ANGLE_DEG = -60.0
_RISE_DECAY_PER_DEG = 0.0008
_HELICOTREMA_DEG = 70.0
_LUMEN_OVAL = 0.8


def outer_wall_radius_mm(theta_deg: npt.ArrayLike) -> npt.NDArray:
    """Distance of the duct's outer wall from the modiolar axis, mm, by Cohen's spiral.

    ``theta_deg`` is an array of angles above 5 degrees (method.md section 9).
    """
    theta = np.asarray(theta_deg)
    hook = 7.967 * (1.0 - 0.1287 * np.log(np.maximum(theta, 5.1) - 5.0))
    spiral = 3.762 * np.exp(-0.001317 * theta)
    return np.where(theta < 100.0, hook, spiral)


def _cosine_of_slant(theta: npt.NDArray, radius: npt.NDArray) -> npt.NDArray:
    """Cosine of the angle between the spiral and the circle through the same point."""
    hook = 7.967 * 0.1287 * (180.0 / np.pi) / (np.maximum(theta, 5.1) - 5.0) / radius
    spiral = 0.001317 * 180.0 / np.pi
    slope = np.where(theta < 100.0, hook, spiral)
    return 1.0 / np.sqrt(1.0 + slope**2)


@dataclass(frozen=True)
class DuctPoints:
    """Where points lie in the cochlea; every array is (n,).

    ``distance`` is mm to the wall of the duct; ``across`` and ``height`` are mm in its cross
    section, from its axis outwards and towards the apex; ``half_width`` is half the lumen, mm;
    ``theta`` is degrees; ``ganglion`` is mm to the wall of the spiral ganglion's canal.
    """

    distance: Distances
    across: Distances
    height: Distances
    half_width: Distances
    theta: Distances
    ganglion: Distances

    def take(self, index: npt.NDArray[np.intp]) -> "DuctPoints":
        """Return some of the points, by their index (k,)."""
        return DuctPoints(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Cochlea:
    """A cochlea of a number of turns whose duct's axis rises by a height."""

    turns: float
    height_mm: float

    @cached_property
    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Unit vectors of cochlear x, y, z in the frame of the right ear (LPS)."""
        z = _APEX_DIRECTION
        towards_window = np.asarray(_ROUND_WINDOW_DIRECTION)
        x = unit(towards_window - z * float((towards_window * z).sum()))
        return x, np.cross(z, x), z

    @property
    def end_deg(self) -> float:
        """Angle at which the duct ends, degrees."""
        return 360.0 * self.turns

    @cached_property
    def box(self) -> Box:
        """Lower and upper corner (2, 3), mm, in the frame of the right ear."""
        wall = self.wall_points()
        return np.stack([wall.min(axis=0), wall.max(axis=0)])

    def _duct_at(self, theta: npt.NDArray) -> tuple[npt.NDArray, ...]:
        """Radius of the axis, its height, half the lumen (mm), cosine of the slant."""
        outer = outer_wall_radius_mm(theta)
        cosine = _cosine_of_slant(theta, outer)
        cupula = ((theta - self.end_deg + 200.0) / 200.0).clip(0.0, 1.0)
        half_width = np.minimum(0.31 * outer + 0.03, 1.08) + 0.10 * cupula
        rise = 1.0 - np.exp(-_RISE_DECAY_PER_DEG * theta)
        height = rise * (self.height_mm / (1.0 - np.exp(-_RISE_DECAY_PER_DEG * self.end_deg)))
        return outer - half_width / cosine, height, half_width, cosine

    def to_ear(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Points (n, 3) from cochlear coordinates to the frame of the right ear, mm."""
        x, y, z = self.axes
        return points[:, :1] * x + points[:, 1:2] * y + points[:, 2:] * z

    def centreline(self, count: int = 200) -> npt.NDArray[np.float64]:
        """Axis of the duct (count, 3) from round window to apex, mm, frame of the right ear."""
        theta = np.linspace(ROUND_WINDOW_DEG, self.end_deg, count)
        radius, height, _, _ = self._duct_at(theta)
        angle = np.deg2rad(theta)
        return self.to_ear(
            np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
        )

    def wall_points(self) -> npt.NDArray[np.float64]:
        """Points (n, 3) on the outer, upper and lower wall, mm, frame of the right ear."""
        theta = np.linspace(ROUND_WINDOW_DEG, self.end_deg, 400)
        radius, height, half_width, _ = self._duct_at(theta)
        angle = np.deg2rad(theta)
        rows = []
        for out, up in ((1.0, 0.0), (0.0, _LUMEN_OVAL), (0.0, -_LUMEN_OVAL)):
            r = outer_wall_radius_mm(theta) if out else radius
            z = height + up * half_width
            rows.append(np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1))
        return self.to_ear(np.concatenate(rows))

    def cylindrical(self, points: Points) -> tuple[Distances, Distances, Distances]:
        """Radius (mm), angle (degrees, first turn) and height (mm) of points (3, n)."""
        x, y, z = (along(points, axis, np.zeros(3)) for axis in self.axes)
        angle = np.rad2deg(np.arctan2(y, x))
        angle = np.where(angle < _FIRST_ANGLE_DEG, angle + 360.0, angle)
        return np.sqrt(x**2 + y**2), angle.astype(np.float32), z

    def locate(self, points: Points) -> DuctPoints:
        """Place points (3, n), of the frame of the right ear, in the nearest turn."""
        radius, first_angle, z = self.cylindrical(points)
        count = points.shape[1]
        best = DuctPoints(*(np.full(count, FAR_MM, dtype=np.float32) for _ in range(6)))
        for turn in range(3):
            theta = first_angle + 360.0 * turn
            on_duct = theta.clip(ROUND_WINDOW_DEG, self.end_deg)
            axis_radius, height, half_width, cosine = self._duct_at(on_duct)
            across = (radius - axis_radius) * cosine
            up = z - height
            beyond = np.deg2rad(theta - on_duct) * axis_radius
            level = np.sqrt(across**2 + (up / _LUMEN_OVAL) ** 2 + beyond**2)
            distance = (level - half_width) * _LUMEN_OVAL
            ganglion = np.sqrt((across + half_width + 0.28) ** 2 + up**2 + beyond**2) - 0.2
            nearer = distance < best.distance
            for name, value in (
                ("distance", distance),
                ("across", across),
                ("height", up),
                ("half_width", half_width),
                ("theta", theta),
            ):
                getattr(best, name)[nearer] = value[nearer]
            in_range = theta < self.end_deg - 200.0
            np.minimum(best.ganglion, np.where(in_range, ganglion, FAR_MM), out=best.ganglion)
        return best

    def lamina(self, at: DuctPoints) -> tuple[npt.NDArray, npt.NDArray]:
        """Which points of the duct (n,) are spiral lamina, and which basilar membrane.

        The lamina is 0.26 mm thick at the base and 0.2 mm at the apex, the membrane 0.15 mm. The
        bony part of the partition narrows towards the apex and leaves the helicotrema free.
        """
        progress = (at.theta / self.end_deg).clip(0.0, 1.0)
        edge = at.half_width * (0.35 - 0.6 * progress)
        has_partition = at.theta < self.end_deg - _HELICOTREMA_DEG
        height = np.abs(at.height)
        bony = has_partition & (at.across < edge) & (height < 0.13 - 0.03 * progress)
        membrane = has_partition & (at.across >= edge) & (height < 0.075)
        return bony, membrane

    def modiolus(self, points: Points) -> tuple[npt.NDArray, npt.NDArray]:
        """Which points (n,) are in the cone of the modiolus, and which in its nerve's canal."""
        radius, _, z = self.cylindrical(points)
        top = 0.85 * self.height_mm
        taper = (1.0 - z / top).clip(0.0, 1.4)
        within = (z < top) & (z > -1.6)
        return within & (radius < 0.35 + 1.0 * taper), within & (radius < 0.10 + 0.45 * taper)
