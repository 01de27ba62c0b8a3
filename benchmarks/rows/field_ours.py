"""Ours: conjugate gradients of all contacts side by side, with one multigrid hierarchy.

The hierarchy is built in every run, since every map needs its own.
"""

import time
from pathlib import Path

import numpy as np
from field_work import Work, transfer_by
from field_work import prepare as prepare_work

from otosynth.field.solver import FieldSolver


def prepare(folder: Path, settings: dict) -> Work:
    """Make the work."""
    return prepare_work(folder, settings)


def run(work: Work) -> dict[str, float]:
    """Build the hierarchy, solve for every contact, leave the result for the peers."""
    # A run before this one has left its hierarchy there.
    work.solver.__dict__.pop("multigrid", None)
    solver: FieldSolver = work.solver
    start = time.perf_counter()
    np.save(work.folder / "transfer.npy", transfer_by(work, solver.solve, solver.contacts_at_once))
    unknowns = solver.matrix.shape[0]
    pieces = unknowns * work.currents.shape[0]
    return {
        "unknowns": float(unknowns),
        "microseconds a unknown and contact": (time.perf_counter() - start) / pieces * 1e6,
    }
