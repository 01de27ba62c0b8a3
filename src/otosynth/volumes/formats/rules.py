"""Rules that hold for scans of every format: voxel size, units, orientation, handedness."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import refuse_other_than_3d_scalar, refuse_sheared
from otosynth.volumes.stated import Stated

# What a voxel's edge can be, from micro-CT to the thickest slices of a CT (mm).
VOXEL_MM = (0.005, 5.0)
# How far a scanner is from where its coordinates begin, at most (mm).
ORIGIN_MM = 1e5
# Two statements of a geometry agree when they place every corner alike, to this part of a voxel.
AGREEMENT_VOXELS = 0.05
LONGEST_SYMBOL = 2
MM_OF_UNIT = {
    name: mm
    for mm, names in (
        (1e-6, ("nm", "nanometer", "nanometre")),
        (1e-3, ("um", "µm", "μm", "micron", "micrometer", "micrometre")),
        (1.0, ("mm", "millimeter", "millimetre")),
        (10.0, ("cm", "centimeter", "centimetre")),
        (1e3, ("m", "meter", "metre")),
        (25.4, ("in", "inch", "inches")),
    )
    for name in (*names, *(f"{word}s" for word in names if len(word) > LONGEST_SYMBOL))
}
# Direction in which each letter leads (LPS).
LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
NO_ORIGIN = "It states no place of its first voxel, which is taken for 0, 0, 0."
NO_UNITS = ("", "?", "???", "unknown", "none")


def check_spacing(path: Path, spacing_mm: Sequence[float]) -> None:
    """Refuse a missing, zero, negative or undefined voxel size."""
    if not spacing_mm:
        raise InputError(
            f"{path}: states no voxel size, or is not what its ending says; export it again "
            "with its spacing in mm."
        )
    if not all(0 < size < math.inf for size in spacing_mm):
        raise InputError(
            f"{path}: states a voxel size of {sizes_text(spacing_mm)} mm; "
            "every size must be above 0. Export it again with its true spacing."
        )


def check_plausible(path: Path, grid: Grid) -> None:
    """Refuse a voxel size that no CT and no micro-CT of an ear has, and a place beyond a room."""
    low, high = VOXEL_MM
    if not all(low <= size <= high for size in grid.spacing_mm):
        raise InputError(
            f"{path}: its voxels are {sizes_text(grid.spacing_mm)} mm, outside {low:g} to "
            f"{high:g} mm, where CT and micro-CT lie; the unit may be wrong. Export it again with "
            "its true spacing and unit."
        )
    if max(map(abs, grid.origin_mm)) > ORIGIN_MM:
        raise InputError(
            f"{path}: its first voxel lies at {sizes_text(grid.origin_mm)} mm, beyond any scanner; "
            "its header is damaged. Export it again."
        )


def mm_of(path: Path, unit: str, stated: Stated) -> tuple[float, str]:
    """Return how many mm a file's unit of length is, and in which words it was stated.

    Parameters
    ----------
    unit
        As the file has it; empty where it states none.
    stated
        What the lab states: used where the file states none; else it is mm.

    Raises
    ------
    InputError
        If the unit is not known.
    """
    name = unit.strip().strip('"').strip()
    if name.lower() in NO_UNITS:
        if stated.unit == "header":
            return 1.0, "mm (not stated)"
        return MM_OF_UNIT[stated.unit], f"{stated.unit} (stated by the study)"
    if name.lower() not in MM_OF_UNIT:
        raise InputError(
            f"{path}: states lengths in '{name}', which is no unit known here; export it again "
            "in mm."
        )
    return MM_OF_UNIT[name.lower()], name


def axes_of(letters: str) -> np.ndarray:
    """Return the directions (LPS; columns) of axes that lead to where three letters say."""
    matrix = np.zeros((3, 3))
    for column, letter in enumerate(letters):
        row, sign = LETTERS[letter]
        matrix[row, column] = sign
    return matrix


def letters_of(direction: Sequence[float]) -> str:
    """Return to where the three axes of a grid lead, nearest; RAS is to the right, and so on."""
    matrix = np.reshape(direction, (3, 3))
    named = {(row, sign): letter for letter, (row, sign) in LETTERS.items()}
    rows = np.abs(matrix).argmax(axis=0)
    return "".join(
        named[int(row), 1 if matrix[row, column] >= 0 else -1] for column, row in enumerate(rows)
    )


def orientation_of(path: Path, stated: Stated, missing: str) -> np.ndarray:
    """Return the axes (LPS; columns) of a file that does not say where they lead.

    Parameters
    ----------
    missing
        What the file lacks, for the message.

    Raises
    ------
    InputError
        If the lab does not state it either.
    """
    if stated.orientation == "header":
        raise InputError(
            f"{path}: states no orientation ({missing}), so left and right cannot be told; export "
            "it again from the program that knows it, or state it: data.ct_stated or "
            "data.microct_stated: orientation=LPS, or another three of R/L, A/P and S/I, to where "
            "the axes x, y and z lead."
        )
    return axes_of(stated.orientation)


def refuse_contradiction(
    path: Path, what: str, statements: Mapping[str, str], stated: Stated
) -> str:
    """Return which of two statements to believe; refuse where the lab does not say it.

    Parameters
    ----------
    what
        That of which there are two statements.
    statements
        By their names, the words of ``believe``, what each says.
    """
    if stated.believe in statements:
        return stated.believe
    said = "; ".join(f"{name} says {says}" for name, says in statements.items())
    choice = " or ".join(f"believe={name}" for name in statements)
    raise InputError(
        f"{path}: states its {what} twice, and differently: {said}. Correct the file, or say which "
        f"holds: data.ct_stated or data.microct_stated: {choice}."
    )


def grid_of(
    path: Path,
    size: Sequence[int],
    spacing_mm: Sequence[float],
    origin_mm: Sequence[float],
    direction: np.ndarray,
) -> Grid:
    """Return the grid (mm, LPS) of what a file states; refuse what cannot be one."""
    refuse_other_than_3d_scalar(path, tuple(size), 1)
    check_spacing(path, spacing_mm)
    numbers = [*origin_mm, *np.ravel(direction)]
    if not np.isfinite(numbers).all():
        raise InputError(
            f"{path}: its origin or the directions of its axes are no finite numbers; export it "
            "again."
        )
    x, y, z = (int(n) for n in size)
    grid = Grid(
        (x, y, z),
        (float(spacing_mm[0]), float(spacing_mm[1]), float(spacing_mm[2])),
        (float(origin_mm[0]), float(origin_mm[1]), float(origin_mm[2])),
        tuple(float(v) for v in np.ravel(direction)),
    )
    refuse_sheared(path, grid)
    return grid


def agree(one: Grid, other: Grid, tolerance_mm: float) -> bool:
    """Tell whether two grids of the same size place every corner alike."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in one.size]), -1).reshape(-1, 3)
    apart = [np.subtract(one.point_mm(c), other.point_mm(c)) for c in corners]
    return float(np.linalg.norm(apart, axis=1).max()) <= tolerance_mm


def is_left_handed(grid: Grid) -> bool:
    """Tell whether the axes are left-handed: an array on them is a mirror image."""
    return bool(np.linalg.det(np.reshape(grid.direction, (3, 3))) < 0)


def other_handed(grid: Grid) -> Grid:
    """Return the grid with the x axis from the other end; every voxel keeps its place."""
    direction = np.reshape(grid.direction, (3, 3)) * (-1, 1, 1)
    # Without this, an axis that was 0 becomes -0.
    direction += 0.0
    origin = grid.point_mm((grid.size[0] - 1, 0, 0)).tolist()
    return replace(grid, origin_mm=tuple(origin), direction=tuple(direction.ravel().tolist()))


def other_handed_image(image: sitk.Image) -> sitk.Image:
    """Return an image with its x axis from the other end; its own inverse."""
    array = sitk.GetArrayViewFromImage(image)[:, :, ::-1]
    return other_handed(Grid.of(image)).image(array)


def right_handed(image: sitk.Image) -> sitk.Image:
    """Return an image with right-handed axes; itself where it has them."""
    return other_handed_image(image) if is_left_handed(Grid.of(image)) else image


def right_handed_slabs(
    grid: Grid, slabs: Iterator[np.ndarray]
) -> tuple[Grid, Iterator[np.ndarray]]:
    """Do as ``right_handed`` with what comes slab by slab."""
    if not is_left_handed(grid):
        return grid, slabs
    return other_handed(grid), (np.ascontiguousarray(slab[:, :, ::-1]) for slab in slabs)


def sizes_text(sizes: Sequence[float]) -> str:
    """Return sizes along the axes as text."""
    return " x ".join(f"{size:.5g}" for size in sizes)
