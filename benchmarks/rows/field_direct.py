"""Peer: scipy's sparse direct solver (SuperLU), one factor for all contacts."""

from pathlib import Path

from field_work import Work, transfer_by, unlike
from field_work import prepare as prepare_work
from scipy import sparse
from scipy.sparse.linalg import splu


def prepare(folder: Path, settings: dict) -> Work:
    """Make the work."""
    return prepare_work(folder, settings)


def run(work: Work) -> dict[str, float]:
    """Factor the matrix and solve for every contact."""
    factor = splu(
        sparse.csc_array(work.solver.matrix),
        permc_spec="MMD_AT_PLUS_A",
        options={"SymmetricMode": True},
    )
    return {"largest difference": unlike(work, transfer_by(work, factor.solve))}
