"""div(sigma grad phi) = -I by finite volumes: conductances between cells, and their matrix.

Between the centres of two neighbouring cells lie half of each in series, so a face has the harmonic
mean of both conductivities, and the current through a border of two tissues is continuous. Cells
without conductivity are dropped: no current flows through their faces. Far from the ear the
potential of one contact falls as 1/r (its return is infinitely far, as in monopolar stimulation),
so the outer faces carry the current of such a potential round the middle of the grid (Robin
condition).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from otosynth.field.grid import FieldGrid

MM_PER_M = 1e3

Volume = npt.NDArray[np.float64]


def face_conductances(conductivity: Volume, grid: FieldGrid) -> list[Volume]:
    """Return the conductances (S) of the faces between cells, an array an axis.

    Parameters
    ----------
    conductivity
        S/m, z, y, x; 0 insulates.
    grid
        The cells.
    """
    faces = []
    for axis in range(3):
        low, high = _neighbours(axis)
        resistance = _half_resistances(conductivity, grid, axis)
        faces.append(1.0 / (resistance[low] + resistance[high]))
    return faces


def boundary_conductances(conductivity: Volume, grid: FieldGrid) -> Volume:
    """Return the conductance (S) of every cell to infinity through the grid's outer faces."""
    total = np.zeros(grid.shape)
    middle_mm = [(edges[0] + edges[-1]) / 2 for edges in grid.edges_mm]
    for axis, edges_mm in enumerate(grid.edges_mm):
        area_m2 = _face_areas_m2(grid, axis)
        others = [
            ((centres - middle_mm[k]) ** 2).reshape(_along(k))
            for k, centres in enumerate(grid.centres_mm)
            if k != axis
        ]
        for index in (0, -1):
            outwards_mm = abs(edges_mm[index] - middle_mm[axis])
            # 1/r falls at r squared over its part along the normal, as if by a layer so thick.
            beyond_mm = (others[0] + others[1] + outwards_mm**2) / outwards_mm
            half_mm = grid.widths_mm[axis][index] / 2
            face = tuple(
                slice(None) if k != axis else slice(0, 1) if index == 0 else slice(-1, None)
                for k in range(3)
            )
            total[face] += conductivity[face] * area_m2 / ((half_mm + beyond_mm) / MM_PER_M)
    return total


def system_matrix(
    conductivity: Volume, grid: FieldGrid, cells: npt.NDArray[np.bool_]
) -> sparse.csr_array:
    """Return the symmetric positive definite matrix (S) of the cells that are kept.

    Its rows are in the order of ``cells`` in memory (C order). Times the potentials (V) it gives
    the currents (A) that are injected.
    """
    count = int(np.count_nonzero(cells))
    number = np.full(grid.shape, -1, dtype=np.int32)
    number[cells] = np.arange(count, dtype=np.int32)
    diagonal = boundary_conductances(conductivity, grid)[cells]
    rows, columns, values = [], [], []
    for axis, face in enumerate(face_conductances(conductivity, grid)):
        low, high = _neighbours(axis)
        kept = cells[low] & cells[high]
        first, second, value = number[low][kept], number[high][kept], face[kept]
        diagonal += np.bincount(first, value, count) + np.bincount(second, value, count)
        rows += [first, second]
        columns += [second, first]
        values += [-value, -value]
    every = np.arange(count, dtype=np.int32)
    entries = np.concatenate([*values, diagonal])
    places = np.concatenate([*rows, every]), np.concatenate([*columns, every])
    return sparse.coo_array((entries, places), shape=(count, count)).tocsr()


def leaving_current(potential: Volume, conductivity: Volume, grid: FieldGrid) -> float:
    """Return the current (A) that leaves through the outer boundary; NaN potentials carry none."""
    return float(np.nansum(boundary_conductances(conductivity, grid) * potential))


def _half_resistances(conductivity: Volume, grid: FieldGrid, axis: int) -> Volume:
    """Resistance (ohm) of each cell from its centre to a face across an axis; air's is infinite."""
    half_m = (grid.widths_mm[axis] / 2 / MM_PER_M).reshape(_along(axis))
    with np.errstate(divide="ignore"):
        resistance: Volume = half_m / (conductivity * _face_areas_m2(grid, axis))
    return resistance


def _face_areas_m2(grid: FieldGrid, axis: int) -> Volume:
    """Areas of faces across an axis, of length 1 along it."""
    first, second = (
        (widths / MM_PER_M).reshape(_along(k))
        for k, widths in enumerate(grid.widths_mm)
        if k != axis
    )
    return first * second


def _along(axis: int) -> tuple[int, ...]:
    """Shape by which values along an axis meet a volume."""
    return tuple(-1 if k == axis else 1 for k in range(3))


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index of all cells but the last, and of all but the first, along an axis."""
    low, high = (
        tuple(part if k == axis else slice(None) for k in range(3))
        for part in (slice(None, -1), slice(1, None))
    )
    return low, high


def neighbouring_pairs() -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
    """Yield each axis with the indices of the lower and the upper cells of its faces."""
    for axis in range(3):
        yield axis, *_neighbours(axis)
