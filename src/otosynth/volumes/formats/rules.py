"""Rules that hold for scans of every format."""

import math
from pathlib import Path

from otosynth.errors import InputError


def check_spacing(path: Path, spacing_mm: list[float]) -> None:
    """Refuse a missing, zero, negative or undefined voxel size."""
    if not spacing_mm:
        raise InputError(
            f"{path}: states no voxel size, or is not what its ending says; export it again "
            "with its spacing in mm."
        )
    if not all(0 < size < math.inf for size in spacing_mm):
        raise InputError(
            f"{path}: states a voxel size of {' x '.join(f'{s:g}' for s in spacing_mm)} mm; "
            "every size must be above 0. Export it again with its true spacing."
        )
