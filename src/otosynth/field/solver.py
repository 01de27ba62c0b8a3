"""Potentials of point currents in one conductivity map."""

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from otosynth.errors import InputError
from otosynth.field.finite_volumes import Volume, system_matrix
from otosynth.field.grid import FieldGrid
from otosynth.field.multigrid import Multigrid

TOLERANCE = 1e-8
MOST_ITERATIONS = 500
# Size of one array of potentials of several contacts. Larger ones are given back to the system and
# taken anew at every step, which costs more than the contacts save by going together.
COLUMNS_BYTES = 32 * 2**20


class FieldSolver:
    """Solves for the potential of currents in one conductivity map.

    Parameters
    ----------
    conductivity
        S/m on the grid's cells, z, y, x; 0 insulates.
    grid
        The cells.
    threads
        Threads (count). Contacts are parted among them; a thread solves for its own side by side.

    Attributes
    ----------
    cells
        Cells (z, y, x) that conduct and have a path to the outer boundary. Islands in air have
        none: a current has no way out of them, and their potential is unknown.
    islands
        Conducting cells without such a path.

    Raises
    ------
    InputError
        For a negative or non-finite conductivity, or a grid that conducts nowhere.
    """

    def __init__(self, conductivity: Volume, grid: FieldGrid, threads: int = 1) -> None:
        if not (np.isfinite(conductivity).all() and (conductivity >= 0).all()):
            raise InputError(
                "A conductivity is negative or no number; give every tissue a positive one "
                "(S/m, electric_field.conductivity), air has 0."
            )
        self.conductivity = conductivity
        self.grid = grid
        self.threads = threads
        self.cells = _grounded(conductivity > 0)
        self.islands = (conductivity > 0) & ~self.cells
        if not self.cells.any():
            raise InputError("The map conducts nowhere at its border: no current can leave it.")

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """The system's matrix (S)."""
        return system_matrix(self.conductivity, self.grid, self.cells)

    @cached_property
    def multigrid(self) -> Multigrid:
        """The hierarchy that serves all contacts of the map."""
        return Multigrid(self.matrix)

    def solve(self, currents: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the potentials (V) of the cells of ``cells``, in C order.

        Parameters
        ----------
        currents
            Injected currents (A) of the same cells: (cells,), or (cells, contacts) for the
            potentials of several contacts, which takes less time than one by one.

        Raises
        ------
        InputError
            If the iteration does not reach its tolerance.
        """
        columns = currents.reshape(len(currents), -1)
        # The library's products let other threads run meanwhile.
        blocks = np.array_split(columns, min(self.threads, columns.shape[1]), axis=1)
        _ = self.multigrid
        with ThreadPoolExecutor(self.threads) as pool:
            potentials = np.concatenate(list(pool.map(self._solve_block, blocks)), axis=1)
        return potentials.reshape(currents.shape)

    def _solve_block(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        potentials, iterations = self.multigrid.solve(
            np.ascontiguousarray(columns), TOLERANCE, MOST_ITERATIONS
        )
        if iterations == MOST_ITERATIONS:
            raise InputError(
                f"The potential did not converge in {MOST_ITERATIONS} iterations; the map's "
                "conductivities may differ by too many orders of magnitude."
            )
        return potentials

    @property
    def contacts_at_once(self) -> int:
        """Contacts whose potentials may be solved for together without much memory (count)."""
        return self.threads * max(1, int(COLUMNS_BYTES / (8 * np.count_nonzero(self.cells))))

    def volume(self, potential: npt.NDArray[np.float64]) -> Volume:
        """Put potentials of cells into a volume (z, y, x); NaN where nothing conducts."""
        volume = np.full(self.grid.shape, np.nan)
        volume[self.cells] = potential
        return volume


def _grounded(conducting: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Keep the cells that are connected, over faces, to the volume's border."""
    parts, count = ndimage.label(conducting)
    at_border = np.zeros(count + 1, bool)
    for axis in range(3):
        for index in (0, -1):
            at_border[np.take(parts, index, axis=axis)] = True
    at_border[0] = False
    return at_border[parts]
