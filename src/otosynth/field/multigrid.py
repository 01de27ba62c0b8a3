"""Conjugate gradients for many contacts at once, preconditioned by algebraic multigrid.

PyAMG builds the hierarchy (smoothed aggregation); its cycle takes one vector at a time. Here all
contacts go through the cycle together, since reading a sparse matrix costs more than
multiplying with it: a dozen contacts take a third of the time that they take one by one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyamg
from scipy import linalg, sparse

# Coarsening ends at this many unknowns, which are solved directly.
COARSEST = 300
# Cells are put together along strong couplings only. Those of the wide cells far out are strong one
# way: without a threshold three times as many iterations were needed.
STRONG = ("symmetric", {"theta": 0.02})
# The smoother is Chebyshev's polynomial of this degree on the upper part of the spectrum.
DEGREE = 4
SMOOTHED_PART = 20.0
# The cycle only has to come near the solution; conjugate gradients themselves are double.
CYCLE_TYPE = np.float32

Columns = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """One grid of the hierarchy.

    Attributes
    ----------
    matrix
        Symmetric positive definite.
    prolong
        From the next coarser grid to this one; its transpose restricts.
    inverse_diagonal, largest
        Of the matrix, and a bound of the largest eigenvalue of the scaled matrix.
    """

    matrix: sparse.csr_array
    prolong: sparse.csr_array
    restrict: sparse.csr_array
    inverse_diagonal: npt.NDArray[np.float64]
    largest: float

    def smooth(self, solution: Columns | None, right: Columns) -> Columns:
        """Improve a solution (unknowns, columns) where it oscillates; ``None`` starts from 0."""
        upper, lower = self.largest, self.largest / SMOOTHED_PART
        middle, half = (upper + lower) / 2, (upper - lower) / 2
        scale = self.inverse_diagonal[:, None]
        residual = right if solution is None else right - self.matrix @ solution
        step = scale * residual / middle
        result = step if solution is None else solution + step
        ratio = half / middle
        for _ in range(DEGREE - 1):
            following = 1.0 / (2.0 * middle / half - ratio)
            residual = right - self.matrix @ result
            step = following * ratio * step + (2.0 * following / half) * scale * residual
            result = result + step
            ratio = following
        return result


class Multigrid:
    """A hierarchy of a symmetric positive definite matrix, and its symmetric V-cycle."""

    def __init__(self, matrix: sparse.csr_array) -> None:
        # PyAMG estimates spectral radii from a start that it draws from numpy's global generator.
        state = np.random.get_state()  # noqa: NPY002
        np.random.seed(0)  # noqa: NPY002
        try:
            hierarchy = pyamg.smoothed_aggregation_solver(
                sparse.csr_matrix(matrix),
                strength=STRONG,
                improve_candidates=None,
                max_coarse=COARSEST,
            )
        finally:
            np.random.set_state(state)  # noqa: NPY002
        *finer, coarsest = hierarchy.levels
        self.levels = [_level(level.A, level.P) for level in finer]
        self.coarsest = linalg.cho_factor(coarsest.A.toarray())

    def cycle(self, right: Columns) -> Columns:
        """Return nearly the solution for right sides (unknowns, columns)."""
        # The smallest currents of a cell are far below what single precision can tell from 0.
        scale = np.abs(right).max(axis=0)
        scale[scale == 0] = 1.0
        solution = self._cycle_from(0, (right / scale).astype(CYCLE_TYPE))
        return solution.astype(np.float64) * scale

    def _cycle_from(self, depth: int, right: Columns) -> Columns:
        if depth == len(self.levels):
            return linalg.cho_solve(self.coarsest, right).astype(CYCLE_TYPE)
        level = self.levels[depth]
        solution = level.smooth(None, right)
        residual = right - level.matrix @ solution
        coarse = self._cycle_from(depth + 1, level.restrict @ residual)
        return level.smooth(solution + level.prolong @ coarse, right)


def _level(matrix: sparse.csr_matrix, prolong: sparse.csr_matrix) -> Level:
    diagonal = matrix.diagonal()
    # Gershgorin: a bound that needs no iteration, and close for matrices of conductances.
    largest = float((abs(sparse.csr_array(matrix)).sum(axis=1) / diagonal).max())
    return Level(
        sparse.csr_array(matrix, dtype=CYCLE_TYPE),
        sparse.csr_array(prolong, dtype=CYCLE_TYPE),
        sparse.csr_array(prolong.T, dtype=CYCLE_TYPE),
        (1.0 / diagonal).astype(CYCLE_TYPE),
        largest,
    )


def conjugate_gradients(
    multigrid: Multigrid,
    matrix: sparse.csr_array,
    right: Columns,
    tolerance: float,
    most_iterations: int,
) -> tuple[Columns, int]:
    """Solve for several right sides, each by its own conjugate gradients, side by side.

    Parameters
    ----------
    right
        Right sides (unknowns, columns).
    tolerance
        Of the residual's length over the right side's.

    Returns
    -------
    tuple
        Solutions (unknowns, columns), and the iterations taken; ``most_iterations`` means that the
        tolerance was not reached.
    """
    solution = np.zeros_like(right)
    residual = right.copy()
    goal = (tolerance * _lengths(right)) ** 2
    direction, energy = np.zeros_like(right), np.ones(right.shape[1])
    for iteration in range(most_iterations):
        active = _products(residual, residual) > goal
        if not active.any():
            return solution, iteration
        conditioned = multigrid.cycle(residual)
        previous, energy = energy, _products(residual, conditioned)
        direction = conditioned + _quotient(energy, previous, active) * direction
        along = matrix @ direction
        # A column that has arrived stays where it is.
        step = _quotient(energy, _products(direction, along), active)
        solution += step * direction
        residual -= step * along
    return solution, most_iterations


def _quotient(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], where: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Divide where that is asked for; 0 elsewhere."""
    return np.divide(above, below, out=np.zeros_like(above), where=where)


def _products(first: Columns, second: Columns) -> npt.NDArray[np.float64]:
    return np.einsum("ij,ij->j", first, second)


def _lengths(columns: Columns) -> npt.NDArray[np.float64]:
    return np.sqrt(_products(columns, columns))
