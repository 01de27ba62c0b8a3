"""Solutions for many contacts at once: conjugate gradients with an algebraic multigrid cycle.

PyAMG builds the hierarchy (smoothed aggregation); its own cycle takes one vector at a time. Here
all contacts go through the cycle side by side, since reading a sparse matrix costs more than
multiplying with it. Everything within an iteration is single precision, which halves what is read
and written; residuals of the whole system are double, so the solution is as exact as asked for
(iterative refinement). Matrices are scaled to a diagonal of ones, so the smoother needs no other
scale.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyamg
from scipy import linalg, sparse

# Coarsening ends at this many unknowns, which are solved directly.
COARSEST = 300
# Cells are put together along strong couplings only. Those of the wide cells far out are strong one
# way: without a threshold three times as many iterations were needed.
STRONG = ("symmetric", {"theta": 0.02})
# The finest prolongation is smoothed by a bound of each row, which a matrix of conductances nearly
# reaches. PyAMG's estimate of a spectral radius holds thirty vectors, most of the memory that a
# hierarchy took and half of its time; on coarser grids it is cheap and saves iterations.
SMOOTHED_PROLONGATION = [("jacobi", {"weighting": "local"}), "jacobi"]
# The smoother is Chebyshev's polynomial of this degree on the upper part of the spectrum.
DEGREE = 4
SMOOTHED_PART = 20.0
# What one round in single precision takes off a residual: far above its rounding.
ROUND = 1e-4

Columns = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Level:
    """One grid of the hierarchy, in single precision.

    Attributes
    ----------
    matrix
        Symmetric positive definite, with a diagonal of ones.
    prolong
        From the next coarser grid to this one; its transpose restricts.
    largest
        A bound of the matrix's largest eigenvalue.
    """

    matrix: sparse.csr_array
    prolong: sparse.csr_array
    largest: float

    def residual(self, solution: Singles, right: Singles) -> Singles:
        """Return what a solution (unknowns, columns) leaves of the right sides."""
        product: Singles = self.matrix @ solution
        return np.subtract(right, product, out=product)

    def smooth(self, solution: Singles | None, right: Singles) -> Singles:
        """Improve a solution (unknowns, columns) where it oscillates; ``None`` starts from 0.

        A solution that is given is changed in place.
        """
        upper, lower = self.largest, self.largest / SMOOTHED_PART
        middle, half = (upper + lower) / 2, (upper - lower) / 2
        step = right.copy() if solution is None else self.residual(solution, right)
        step *= 1 / middle
        if solution is None:
            solution = step.copy()
        else:
            solution += step
        ratio = half / middle
        for _ in range(DEGREE - 1):
            following = 1.0 / (2.0 * middle / half - ratio)
            change = self.residual(solution, right)
            change *= 2.0 * following / half
            step *= following * ratio
            step += change
            solution += step
            ratio = following
        return solution


class Multigrid:
    """A hierarchy of a symmetric positive definite matrix, which solves with its V-cycle.

    Attributes
    ----------
    matrix
        As it was given, double precision.
    scale
        What the unknowns of the scaled matrix are to be multiplied with (unknowns, 1).
    levels
        From fine to coarse, without the coarsest.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.matrix = matrix
        scale = 1 / np.sqrt(matrix.diagonal())
        self.scale = scale[:, None]
        grids = _grids(_scaled(matrix, scale, scale), 1 / scale)
        scales = [1 / np.sqrt(grid.A.diagonal()) for grid in grids]
        self.levels: list[Level] = []
        while len(grids) > 1:
            # A grid that has been converted is let go, since hierarchies are large.
            self.levels.append(_level(grids.pop(0), scales[len(self.levels) :]))
        whole = grids[0].A.toarray() * scales[-1][:, None] * scales[-1]
        self.coarsest = linalg.cho_factor(whole.astype(np.float32))

    def cycle(self, right: Singles, depth: int = 0) -> Singles:
        """Return nearly the solutions of the scaled matrix for right sides (unknowns, columns)."""
        if depth == len(self.levels):
            solved: Singles = linalg.cho_solve(self.coarsest, right)
            return solved
        level = self.levels[depth]
        solution = level.smooth(None, right)
        coarse = self.cycle(level.prolong.T @ level.residual(solution, right), depth + 1)
        solution += level.prolong @ coarse
        return level.smooth(solution, right)

    def solve(self, right: Columns, tolerance: float, most_iterations: int) -> tuple[Columns, int]:
        """Solve for several right sides side by side.

        Parameters
        ----------
        right
            Right sides (unknowns, columns).
        tolerance
            Of each residual's length over its right side's.

        Returns
        -------
        tuple
            Solutions (unknowns, columns), and the iterations taken; ``most_iterations`` means that
            the tolerance was not reached.
        """
        solution, residual = np.zeros_like(right), right
        goals = tolerance * _lengths(right)
        iterations = 0
        while (left := _lengths(residual) > goals).any():
            if iterations >= most_iterations:
                return solution, most_iterations
            scaled = self.scale * residual
            lengths = np.where(left, _lengths(scaled), np.inf)
            scaled /= lengths
            correction, taken = self._round(scaled.astype(np.float32), most_iterations - iterations)
            scaled[...] = correction
            scaled *= self.scale
            # A column that has arrived stays where it is.
            scaled *= np.where(left, lengths, 0.0)
            solution += scaled
            residual = right - self.matrix @ solution
            iterations += taken
        return solution, iterations

    def _round(self, residual: Singles, most_iterations: int) -> tuple[Singles, int]:
        """Take most off residuals of length 1 or 0, by conjugate gradients for each column."""
        matrix = self.levels[0].matrix if self.levels else self._single
        solution, direction = np.zeros_like(residual), np.zeros_like(residual)
        energy = np.ones(residual.shape[1])
        for iteration in range(most_iterations):
            active = _products(residual, residual) > ROUND**2
            if not active.any():
                return solution, iteration
            conditioned = self.cycle(residual)
            previous, energy = energy, _products(residual, conditioned)
            direction *= _quotient(energy, previous, active)
            direction += conditioned
            along = matrix @ direction
            step = _quotient(energy, _products(direction, along), active)
            solution += np.multiply(step, direction, out=conditioned)
            along *= step
            residual -= along
        return solution, most_iterations

    @property
    def _single(self) -> sparse.csr_array:
        """The scaled matrix of a system so small that it has no finer grids."""
        return _scaled(self.matrix, self.scale[:, 0], self.scale[:, 0])


def _grids(matrix: sparse.csr_array, smooth: npt.NDArray[np.float64]) -> list[Any]:
    """Return PyAMG's grids, each with its matrix A and, but for the coarsest, a prolongation P.

    Parameters
    ----------
    matrix
        In single precision, since the hierarchy takes most of the memory.
    smooth
        What the smoother leaves (unknowns,): a potential that is the same everywhere.
    """
    # PyAMG estimates spectral radii from a start that it draws from numpy's global generator.
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        hierarchy = pyamg.smoothed_aggregation_solver(
            sparse.csr_matrix(matrix),
            B=smooth.astype(np.float32)[:, None],
            strength=STRONG,
            smooth=SMOOTHED_PROLONGATION,
            improve_candidates=None,
            max_coarse=COARSEST,
        )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return list(hierarchy.levels)


def _level(grid: Any, scales: list[npt.NDArray[np.float64]]) -> Level:
    """Scale a grid; the first scale is its own, the second the next coarser grid's."""
    fine, coarse = scales[:2]
    matrix = sparse.csr_array(grid.A)
    # Gershgorin: a bound that needs no iteration, and close for matrices of conductances. It is
    # of the rows over their diagonals, which have the eigenvalues of the scaled matrix.
    sums = np.add.reduceat(np.abs(matrix.data), matrix.indptr[:-1])
    largest = float((sums * fine**2).max())
    return Level(_scaled(matrix, fine, fine), _scaled(grid.P, 1 / fine, coarse), largest)


def _scaled(
    matrix: sparse.sparray, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]
) -> sparse.csr_array:
    """Multiply a matrix's rows and columns, and make it single; indices are shared."""
    own = sparse.csr_array(matrix)
    # Step by step, since each of these arrays is as large as the matrix.
    values = own.data.astype(np.float32)
    values *= columns.astype(np.float32)[own.indices]
    values *= np.repeat(rows.astype(np.float32), np.diff(own.indptr))
    return sparse.csr_array((values, own.indices, own.indptr), shape=own.shape)


def _quotient(
    above: npt.NDArray[np.float64], below: npt.NDArray[np.float64], where: npt.NDArray[np.bool_]
) -> Singles:
    """Divide where that is asked for; 0 elsewhere."""
    return np.divide(above, below, out=np.zeros_like(above), where=where).astype(np.float32)


def _products(first: npt.NDArray, second: npt.NDArray) -> npt.NDArray[np.float64]:
    """Scalar products of columns; summed in double precision, since columns are long."""
    return np.einsum("ij,ij->j", first, second, dtype=np.float64)


def _lengths(columns: npt.NDArray) -> npt.NDArray[np.float64]:
    return np.sqrt(_products(columns, columns))
