"""Points on the grid: where a contact's current enters and where a site's potential is read."""

from itertools import product

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import sparse

from otosynth.field.grid import FieldGrid


def grid_points_mm(
    points_mm: npt.NDArray[np.float64], image: sitk.Image
) -> npt.NDArray[np.float64]:
    """Return points of an image's space (n, 3; x, y, z, LPS) on its grid (n, 3; z, y, x).

    Millimetres along the axes of the image's array, from its first voxel's outer corner.
    """
    indices = [image.TransformPhysicalPointToContinuousIndex(tuple(p)) for p in points_mm.tolist()]
    return ((np.array(indices).reshape(-1, 3) + 0.5) * image.GetSpacing())[:, ::-1]


def cells_of(points_mm: npt.NDArray[np.float64], grid: FieldGrid) -> npt.NDArray[np.int64]:
    """Return the index z, y, x (n, 3) of the cells that hold points (n, 3; z, y, x)."""
    return np.stack(
        [
            np.clip(np.searchsorted(edges, points_mm[:, k], side="right") - 1, 0, len(edges) - 2)
            for k, edges in enumerate(grid.edges_mm)
        ],
        axis=1,
    )


def interpolation(
    points_mm: npt.NDArray[np.float64], grid: FieldGrid, cells: npt.NDArray[np.bool_]
) -> sparse.csr_array:
    """Return the weights (points, cells) of the cells round each point.

    Trilinear between the centres of the eight cells round a point, over those that conduct; a point
    with none has a row of zeros. The same weights take a current in and read a potential, so that
    what contact a does at point b is what b would do at a (reciprocity).

    Parameters
    ----------
    points_mm
        Points (n, 3; z, y, x), mm on the grid.
    cells
        The cells that conduct; columns are numbered in their C order.
    """
    number = np.full(grid.shape, -1)
    number[cells] = np.arange(np.count_nonzero(cells))
    lower, share = _brackets(points_mm, grid)
    rows, columns, values = [], [], []
    for corner in product((0, 1), repeat=3):
        index = tuple((lower + corner).T)
        weight = np.prod(np.where(corner, share, 1 - share), axis=1)
        used = (number[index] >= 0) & (weight > 0)
        rows.append(np.flatnonzero(used))
        columns.append(number[index][used])
        values.append(weight[used])
    weights = sparse.coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(points_mm), int(np.count_nonzero(cells))),
    ).tocsr()
    total = weights.sum(axis=1)
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ weights)


def _brackets(
    points_mm: npt.NDArray[np.float64], grid: FieldGrid
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Cell below each point (n, 3), and the point's share of the way to the next cell's centre."""
    lower, shares = [], []
    for k, centres in enumerate(grid.centres_mm):
        below = np.clip(np.searchsorted(centres, points_mm[:, k], "right") - 1, 0, len(centres) - 2)
        share = (points_mm[:, k] - centres[below]) / (centres[below + 1] - centres[below])
        lower.append(below)
        shares.append(np.clip(share, 0.0, 1.0))
    return np.stack(lower, axis=1), np.stack(shares, axis=1)
