"""Signed distances to simple solids, from which the anatomy is put together.

A set of points is an array (3, n) of x, y, z in mm; a distance is negative inside the solid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]

FAR_MM = 1e3
"""Distance given to points that are too far from a solid to matter."""


class Solid(Protocol):
    """A solid with a bounding box."""

    @property
    def box(self) -> npt.NDArray[np.float64]:
        """Lower and upper corner (2, 3), mm."""

    def distance(self, points: Points) -> Distances:
        """Signed distance (n,) of points (3, n), mm."""


def unit(vector: Sequence[float] | Vector) -> Vector:
    """Return the vector scaled to length 1."""
    array = np.asarray(vector, dtype=np.float64)
    return array / np.sqrt((array**2).sum())


def along(points: Points, direction: Vector, origin: Vector) -> Distances:
    """Return the coordinate (n,) of points along a direction, from an origin, mm.

    Written as a sum, not a matrix product, so that its bytes do not depend on the BLAS.
    """
    a, b, c = (float(value) for value in direction)
    offset = float((direction * origin).sum())
    return a * points[0] + b * points[1] + c * points[2] - offset


@dataclass(frozen=True)
class Tube:
    """Round tube along a polyline, with a radius at each of its vertices.

    path: (k, 3) mm; radii_mm: (k,).
    """

    path: npt.NDArray[np.float64]
    radii_mm: npt.NDArray[np.float64]

    @cached_property
    def box(self) -> npt.NDArray[np.float64]:
        """Lower and upper corner (2, 3), mm."""
        reach = self.radii_mm[:, None]
        return np.stack([(self.path - reach).min(axis=0), (self.path + reach).max(axis=0)])

    def distance(self, points: Points) -> Distances:
        """Signed distance (n,) of points (3, n), mm."""
        nearest = np.full(points.shape[1], FAR_MM, dtype=np.float32)
        for i in range(len(self.path) - 1):
            start, step = self.path[i], self.path[i + 1] - self.path[i]
            t = along(points, step / (step**2).sum(), start).clip(0.0, 1.0)
            squared = sum((points[k] - float(start[k]) - t * float(step[k])) ** 2 for k in range(3))
            radius = float(self.radii_mm[i]) + t * float(self.radii_mm[i + 1] - self.radii_mm[i])
            np.minimum(nearest, np.sqrt(squared) - radius, out=nearest)
        return nearest


def tube(path: Sequence[Sequence[float] | Vector], radii_mm: float | Sequence[float]) -> Tube:
    """Return the tube along a path (k, 3), with one radius or one for each vertex, mm."""
    vertices = np.asarray(path, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radii_mm, dtype=np.float64), len(vertices))
    return Tube(vertices, radii)


@dataclass(frozen=True)
class Ellipsoid:
    """Ellipsoid along the axes; its distance is first order, exact on its surface."""

    centre: tuple[float, float, float]
    semi_axes_mm: tuple[float, float, float]

    @property
    def box(self) -> npt.NDArray[np.float64]:
        """Lower and upper corner (2, 3), mm."""
        centre, axes = np.array(self.centre), np.array(self.semi_axes_mm)
        return np.stack([centre - axes, centre + axes])

    def distance(self, points: Points) -> Distances:
        """Signed distance (n,) of points (3, n), mm."""
        axes = np.array(self.semi_axes_mm, dtype=np.float32)[:, None]
        centre = np.array(self.centre, dtype=np.float32)[:, None]
        scaled: Points = (points - centre) / axes
        level: Distances = np.sqrt((scaled**2).sum(axis=0))
        slope: Distances = np.sqrt(((scaled / axes) ** 2).sum(axis=0)).clip(1e-6)
        return np.divide(level * (level - 1.0), slope)


@dataclass(frozen=True)
class Arc:
    """Round tube along an arc of a circle: a semicircular canal.

    The arc spans ``half_angle_rad`` to either side of the in-plane direction ``middle``.
    """

    centre: Vector
    normal: Vector
    middle: Vector
    radius_mm: float
    lumen_radius_mm: float
    half_angle_rad: float

    @property
    def box(self) -> npt.NDArray[np.float64]:
        """Lower and upper corner (2, 3), mm."""
        reach = self.radius_mm + self.lumen_radius_mm
        return np.stack([self.centre - reach, self.centre + reach])

    def point_at(self, angle_rad: float) -> Vector:
        """Return the point (3,) of the arc's axis at an angle from its middle, mm."""
        across = np.cross(self.normal, self.middle)
        direction = np.cos(angle_rad) * self.middle + np.sin(angle_rad) * across
        return self.centre + self.radius_mm * direction

    def distance(self, points: Points) -> Distances:
        """Signed distance (n,) of points (3, n), mm."""
        u = along(points, self.middle, self.centre)
        v = along(points, np.cross(self.normal, self.middle), self.centre)
        w = along(points, self.normal, self.centre)
        angle = np.arctan2(v, u).clip(-self.half_angle_rad, self.half_angle_rad)
        du = u - self.radius_mm * np.cos(angle)
        dv = v - self.radius_mm * np.sin(angle)
        return np.sqrt(du**2 + dv**2 + w**2) - self.lumen_radius_mm


def inside_box(points: Points, box: npt.NDArray[np.float64], reach_mm: float) -> npt.NDArray:
    """Return which points (n,) lie in a box (2, 3) grown by a reach, mm."""
    inside = np.ones(points.shape[1], dtype=bool)
    for k in range(3):
        inside &= points[k] > float(box[0, k] - reach_mm)
        inside &= points[k] < float(box[1, k] + reach_mm)
    return inside


def distance_near(solids: Sequence[Solid], points: Points, reach_mm: float) -> Distances:
    """Signed distance (n,) to the union of solids, ``FAR_MM`` outside their boxes plus a reach.

    The boxes are tested point by point, so that a point's distance does not depend on the block
    of points it is computed with.
    """
    nearest = np.full(points.shape[1], FAR_MM, dtype=np.float32)
    if not points.shape[1]:
        return nearest
    low, high = points.min(axis=1), points.max(axis=1)
    for solid in solids:
        box = solid.box
        if (low > box[1] + reach_mm).any() or (high < box[0] - reach_mm).any():
            continue
        inside = np.flatnonzero(inside_box(points, box, reach_mm))
        if inside.size:
            distance = solid.distance(points[:, inside])
            nearest[inside] = np.minimum(nearest[inside], distance)
    return nearest
