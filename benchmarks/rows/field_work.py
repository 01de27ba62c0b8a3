"""The work of the field rows: one conductivity map, and what every side is measured on.

Bone with fluid and air in smooth blobs, as varied as a class map; contacts on a line through its
middle. The matrix is ours for all sides (assembling it is not what is compared, and is not timed).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage, sparse

from otosynth.field.grid import FieldGrid, grid_round
from otosynth.field.points import interpolation
from otosynth.field.solver import FieldSolver

VOXEL_MM, BOUNDARY_MM = 0.12, 10.0
SURROUNDINGS = 0.33


@dataclass(frozen=True)
class Work:
    """A solver whose matrix is assembled, and the currents (contacts, cells) to solve for."""

    solver: FieldSolver
    currents: sparse.csr_array
    folder: Path


def make_conductivity(edge: int) -> np.ndarray:
    """Return S/m of three tissues in blobs (z, y, x); the middle, where contacts lie, is fluid."""
    random = np.random.default_rng(1)
    field = ndimage.gaussian_filter(random.normal(size=(edge,) * 3), 4, mode="wrap")
    conductivity = np.array([0.0, 0.01, 1.654])[np.digitize(field / field.std(), [-1.2, 0.7])]
    middle = edge // 2
    conductivity[middle - 2 : middle + 3, middle - 2 : middle + 3] = 1.654
    return conductivity


def contact_points_mm(grid: FieldGrid, edge: int, contacts: int) -> np.ndarray:
    """Return contacts (n, 3; z, y, x) on a line through the middle, mm on the grid."""
    along = np.linspace(0.25, 0.75, contacts) * edge * VOXEL_MM
    return np.stack([np.full(contacts, edge * VOXEL_MM / 2)] * 2 + [along], axis=1)


def prepare(folder: Path, settings: dict) -> Work:
    """Make the map and assemble its matrix."""
    edge = settings["edge"]
    grid = grid_round((edge,) * 3, (VOXEL_MM,) * 3, BOUNDARY_MM)
    conductivity = grid.embed(make_conductivity(edge), SURROUNDINGS)
    solver = FieldSolver(conductivity, grid, settings.get("threads", 1))
    points = contact_points_mm(grid, edge, settings["contacts"])
    currents = interpolation(points, grid, solver.cells)
    _ = solver.matrix
    return Work(solver, currents, folder)


def transfer_by(
    work: Work, solve: Callable[[np.ndarray], np.ndarray], contacts_at_once: int = 1
) -> np.ndarray:
    """Return the transfer resistances (ohm) between all contacts.

    ``solve`` takes currents (cells, contacts) to potentials.
    """
    count = work.currents.shape[0]
    columns = [
        work.currents @ solve(work.currents[first : first + contacts_at_once].toarray().T)
        for first in range(0, count, contacts_at_once)
    ]
    return np.concatenate(columns, axis=1)


def unlike(work: Work, transfer: np.ndarray) -> float:
    """Return the largest relative difference to what ours left in the folder."""
    ours = np.load(work.folder / "transfer.npy")
    return float(np.abs(transfer / ours - 1).max())
