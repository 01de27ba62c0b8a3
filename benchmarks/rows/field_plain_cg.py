"""Peer: scipy's conjugate gradients with the diagonal as preconditioner, to the same tolerance."""

from pathlib import Path

import numpy as np
from field_work import Work, transfer_by, unlike
from field_work import prepare as prepare_work
from scipy import sparse
from scipy.sparse.linalg import cg

TOLERANCE, MOST_ITERATIONS = 1e-8, 20_000


def prepare(folder: Path, settings: dict) -> Work:
    """Make the work."""
    return prepare_work(folder, settings)


def run(work: Work) -> dict[str, float]:
    """Solve for every contact."""
    matrix = work.solver.matrix
    diagonal = sparse.diags_array(1 / matrix.diagonal())

    def solve(current: np.ndarray) -> np.ndarray:
        """Solve for one contact; NaN where it does not converge."""
        potential, failed = cg(
            matrix, current[:, 0], rtol=TOLERANCE, maxiter=MOST_ITERATIONS, M=diagonal
        )
        return np.full_like(current, np.nan) if failed else potential[:, None]

    return {"largest difference": unlike(work, transfer_by(work, solve))}
