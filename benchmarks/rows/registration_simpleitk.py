"""Plain SimpleITK as in its own examples (`plain_simpleitk`, bench.py registration)."""

from pathlib import Path

import SimpleITK as sitk
from registration import plain_simpleitk
from registration_pair import error_mm, pair_in


def prepare(folder: Path, settings: dict) -> tuple:
    """Make or read the pair."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return pair_in(folder, settings)


def run(prepared: tuple) -> dict:
    """Register from the centres of both grids."""
    microct, ct, points, truth = prepared
    return {"TRE mm": error_mm(plain_simpleitk(microct, ct), points, truth)}
