"""Potentials of point currents: conjugate gradients, preconditioned by algebraic multigrid.

One hierarchy (smoothed aggregation, PyAMG) serves all contacts of a map.
"""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyamg
from scipy import ndimage, sparse
from scipy.sparse.linalg import LinearOperator, cg

from otosynth.errors import InputError
from otosynth.field.finite_volumes import Volume, system_matrix
from otosynth.field.grid import FieldGrid

TOLERANCE = 1e-8
MOST_ITERATIONS = 500
# Coarsening ends at this many unknowns, which are solved directly.
COARSEST = 300


class FieldSolver:
    """Solves for the potential of currents in one conductivity map.

    Parameters
    ----------
    conductivity
        S/m on the grid's cells, z, y, x; 0 insulates.
    grid
        The cells.

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

    def __init__(self, conductivity: Volume, grid: FieldGrid) -> None:
        if not (np.isfinite(conductivity).all() and (conductivity >= 0).all()):
            raise InputError(
                "A conductivity is negative or no number; give every tissue a positive one "
                "(S/m, electric_field.conductivity), air has 0."
            )
        self.conductivity = conductivity
        self.grid = grid
        self.cells = _grounded(conductivity > 0)
        self.islands = (conductivity > 0) & ~self.cells
        if not self.cells.any():
            raise InputError("The map conducts nowhere at its border: no current can leave it.")

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """The system's matrix (S)."""
        return system_matrix(self.conductivity, self.grid, self.cells)

    @cached_property
    def preconditioner(self) -> LinearOperator:
        """One V-cycle; symmetric, as conjugate gradients need it."""
        # PyAMG estimates spectral radii from a start that it draws from numpy's global generator.
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        try:
            hierarchy = pyamg.smoothed_aggregation_solver(
                sparse.csr_matrix(self.matrix),
                presmoother=("gauss_seidel", {"sweep": "forward"}),
                postsmoother=("gauss_seidel", {"sweep": "backward"}),
                improve_candidates=None,
                max_coarse=COARSEST,
            )
        finally:
            np.random.set_state(state)  # noqa: NPY002
        return hierarchy.aspreconditioner(cycle="V")

    def solve(self, current: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the potential (V) of every cell of ``cells``, in C order.

        Parameters
        ----------
        current
            Injected current (A) of the same cells.

        Raises
        ------
        InputError
            If the iteration does not reach its tolerance.
        """
        potential, failed = cg(
            self.matrix, current, rtol=TOLERANCE, maxiter=MOST_ITERATIONS, M=self.preconditioner
        )
        if failed:
            raise InputError(
                f"The potential did not converge in {MOST_ITERATIONS} iterations; the map's "
                "conductivities may differ by too many orders of magnitude."
            )
        return potential

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
