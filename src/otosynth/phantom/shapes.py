"""Signed distances to simple solids, from which the anatomy is put together.

A set of points is an array (3, n) of x, y, z in mm; a distance is negative inside the solid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Distances = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]
Box = npt.NDArray[np.float64]

FAR_MM = 1e3
"""Distance given to points that are too far from a solid to matter."""


class Solid(Protocol):
    """A solid with a bounding box."""

    @property
    def box(self) -> Box:
        """Lower and upper corner (2, 3), mm."""

    @property
    def pieces(self) -> "Sequence[Solid]":
        """Smaller solids whose union it is; itself alone where it has no parts."""

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
    coordinate = a * points[0]
    coordinate += b * points[1]
    coordinate += c * points[2]
    coordinate -= float((direction * origin).sum())
    return coordinate


@dataclass(frozen=True)
class Tube:
    """Round tube along a polyline, with a radius at each of its vertices.

    path: (k, 3) mm; radii_mm: (k,).
    """

    path: npt.NDArray[np.float64]
    radii_mm: npt.NDArray[np.float64]

    @cached_property
    def box(self) -> Box:
        """Lower and upper corner (2, 3), mm."""
        reach = self.radii_mm[:, None]
        return np.stack([(self.path - reach).min(axis=0), (self.path + reach).max(axis=0)])

    @property
    def pieces(self) -> "Sequence[Solid]":
        """Its straight pieces: their boxes hold far less than the whole tube's."""
        ends = range(len(self.path) - 1)
        return [Tube(self.path[i : i + 2], self.radii_mm[i : i + 2]) for i in ends]

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


def tube(path: npt.ArrayLike, radii_mm: float | Sequence[float]) -> Tube:
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
    def box(self) -> Box:
        """Lower and upper corner (2, 3), mm."""
        centre, axes = np.array(self.centre), np.array(self.semi_axes_mm)
        return np.stack([centre - axes, centre + axes])

    @property
    def pieces(self) -> "Sequence[Solid]":
        """Itself."""
        return [self]

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
    def box(self) -> Box:
        """Lower and upper corner (2, 3) of the whole circle, mm."""
        reach = self.radius_mm * np.sqrt(1.0 - self.normal**2) + self.lumen_radius_mm
        return np.stack([self.centre - reach, self.centre + reach])

    @property
    def pieces(self) -> "Sequence[Solid]":
        """Itself."""
        return [self]

    @cached_property
    def across(self) -> Vector:
        """In-plane direction (3,) at right angles to the middle."""
        return np.cross(self.normal, self.middle)

    def point_at(self, angle_rad: float) -> Vector:
        """Return the point (3,) of the arc's axis at an angle from its middle, mm."""
        direction = np.cos(angle_rad) * self.middle + np.sin(angle_rad) * self.across
        return self.centre + self.radius_mm * direction

    def distance(self, points: Points) -> Distances:
        """Signed distance (n,) of points (3, n), mm."""
        u = along(points, self.middle, self.centre)
        v = along(points, self.across, self.centre)
        w = along(points, self.normal, self.centre)
        angle = np.arctan2(v, u).clip(-self.half_angle_rad, self.half_angle_rad)
        du = u - self.radius_mm * np.cos(angle)
        dv = v - self.radius_mm * np.sin(angle)
        return np.sqrt(du**2 + dv**2 + w**2) - self.lumen_radius_mm


@dataclass(frozen=True)
class Cloud:
    """Points (3, n) of one block, mm, with the box that holds them."""

    points: Points

    @property
    def count(self) -> int:
        """Number of points."""
        return self.points.shape[1]

    @cached_property
    def box(self) -> Box:
        """Lower and upper corner (2, 3), mm; of no points, a box that meets nothing."""
        if not self.count:
            return np.array([[np.inf] * 3, [-np.inf] * 3])
        return np.stack([self.points.min(axis=1), self.points.max(axis=1)]).astype(np.float64)

    def within(self, box: Box, reach_mm: float) -> npt.NDArray[np.intp]:
        """Which points (k,) lie in a box (2, 3) grown by a reach, mm."""
        low, high = box[0] - reach_mm, box[1] + reach_mm
        if (self.box[0] >= high).any() or (self.box[1] <= low).any():
            return np.zeros(0, dtype=np.intp)
        inside = np.ones(self.count, dtype=bool)
        for k, row in enumerate(self.points):
            inside &= (row > float(low[k])) & (row < float(high[k]))
        return np.flatnonzero(inside)


class Union:
    """The union of solids, of which a block of points meets only some."""

    def __init__(self, solids: Iterable[Solid]) -> None:
        self.pieces = [piece for solid in solids for piece in solid.pieces]
        self.boxes = np.stack([piece.box for piece in self.pieces])

    def distance(self, cloud: Cloud, reach_mm: float = 0.0) -> Distances:
        """Signed distance (n,) of points, mm; right up to a reach, larger than it beyond.

        The boxes are tested point by point, so that what is within reach does not depend on the
        block of points that it is computed with.
        """
        nearest = np.full(cloud.count, FAR_MM, dtype=np.float32)
        low, high = self.boxes[:, 0] - reach_mm, self.boxes[:, 1] + reach_mm
        met = ((cloud.box[0] < high) & (cloud.box[1] > low)).all(axis=1)
        for index in np.flatnonzero(met):
            at = cloud.within(self.boxes[index], reach_mm)
            if at.size:
                distance = self.pieces[index].distance(cloud.points[:, at])
                nearest[at] = np.minimum(nearest[at], distance)
        return nearest
