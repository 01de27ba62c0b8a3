"""The grid of a DICOM series: planes in the order of their positions, checked against one stack.

The position of a plane is its ImagePositionPatient projected on the normal of
ImageOrientationPatient, in mm; file names and instance numbers play no part.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from otosynth.errors import InputError
from otosynth.volumes.formats.dicom_files import (
    dicom_files,
    folders_with_rest,
    read_tags,
    value_of,
)
from otosynth.volumes.formats.dicom_planes import AGREEMENT, Plane, planes_of
from otosynth.volumes.formats.rules import grid_of, refuse_contradiction
from otosynth.volumes.grids import Grid
from otosynth.volumes.stated import NOTHING_STATED, Stated

# Planes may lie off an even stack by this part of the spacing, besides the rounding of their text.
SPACING_TOLERANCE = 0.02
# The same of directions, and of how far a stack may lean from its normal.
ORIENTATION_TOLERANCE = 1e-3
# However few decimals positions have, no more than this part of the spacing is laid to rounding.
ROUNDED_PART = 0.1
# Steps within this part of a whole number of spacings are so many, when a gap is described.
STEP_PART = 0.25
# The words of believe.
POSITIONS, BETWEEN_SLICES = "positions", "spacing-between-slices"
# What parts slices that lie at one position, in the words of the standard.
PARTED_BY = (
    "ConvolutionKernel", "EchoNumbers", "AcquisitionNumber", "TemporalPositionIdentifier",
    "ImageType", "KVP", "SliceThickness", "AcquisitionTime",
)  # fmt: skip


def stack_of(
    folder: Path, planes: Sequence[Plane], stated: Stated
) -> tuple[list[Plane], Grid, tuple[str, ...]]:
    """Order the planes of a series; return them, the grid that they make, and remarks.

    Raises
    ------
    InputError
        If they are of mixed orientations or sizes, or one is missing, doubled, or lies elsewhere
        than in an even and straight stack.
    """
    if len(planes) < 2:
        raise InputError(f"{folder}: holds a single DICOM slice; a volume needs the whole series.")
    _check_alike(folder, planes)
    normal = planes[0].normal
    ordered = sorted(planes, key=lambda one: float(one.position_mm @ normal))
    spacing_mm, off_mm = _even_spacing_mm(folder, ordered)
    _refuse_part_elsewhere(folder, ordered, spacing_mm)
    first = ordered[0]
    row, column = first.rows_columns[:3], first.rows_columns[3:]
    believed_mm, remarks = _believed_spacing_mm(folder, ordered, spacing_mm, stated)
    grid = grid_of(
        folder,
        (*first.size, len(ordered)),
        # PixelSpacing gives the distance of rows (y) first, then of columns (x).
        (first.pixel_mm[1], first.pixel_mm[0], believed_mm),
        (first.position_mm + off_mm * normal).tolist(),
        np.column_stack([row, column, first.normal]),
    )
    return ordered, grid, remarks


def _check_alike(folder: Path, planes: Sequence[Plane]) -> None:
    """Refuse mixed orientations, sizes or pixel spacings."""
    first = planes[0]
    for one in planes[1:]:
        if not np.allclose(one.rows_columns, first.rows_columns, atol=ORIENTATION_TOLERANCE):
            raise InputError(
                f"{folder}: {one.name} and {first.name} have different orientations; "
                "keep the slices of one stack only."
            )
        if one.size != first.size or not np.allclose(one.pixel_mm, first.pixel_mm, rtol=1e-4):
            raise InputError(
                f"{folder}: {one.name} and {first.name} differ in size or pixel "
                "spacing; keep the slices of one stack only."
            )


def _even_spacing_mm(folder: Path, planes: Sequence[Plane]) -> tuple[float, float]:
    """Return the distance of neighbouring planes, and how far the first lies off the even grid.

    Refused is what is no even, straight, whole stack. Only where positions are rounded to a part of
    the spacing that counts, the first lies off the grid (mm).
    """
    steps_mm = np.diff([one.position_mm for one in planes], axis=0)
    along_mm = steps_mm @ planes[0].normal
    rounding_mm = _rounding_mm(planes)
    _refuse_doubled(folder, planes, along_mm)
    fitted = _fitted(folder, planes, along_mm, rounding_mm)
    _refuse_leaning(folder, planes, along_mm, steps_mm, rounding_mm)
    spacing_mm = float(along_mm.mean())
    return fitted if rounding_mm > SPACING_TOLERANCE * spacing_mm else (spacing_mm, 0.0)


def _rounding_mm(planes: Sequence[Plane]) -> float:
    """Return how far off its place along the stack a plane may be by the decimals of its text."""
    normal = planes[0].normal
    return min(one.rounding_mm for one in planes) * float(np.abs(normal).sum())


def _believed_spacing_mm(
    folder: Path, planes: Sequence[Plane], spacing_mm: float, stated: Stated
) -> tuple[float, tuple[str, ...]]:
    """Compare the distance by positions with the one that headers state; return what holds."""
    tolerance_mm = AGREEMENT * spacing_mm + _rounding_mm(planes)
    others = [one.between_mm for one in planes if one.between_mm is not None]
    other_mm = next((mm for mm in others if abs(mm - spacing_mm) > tolerance_mm), None)
    if other_mm is None:
        return spacing_mm, ()
    said = {POSITIONS: f"{spacing_mm:.4g} mm", BETWEEN_SLICES: f"{other_mm:.4g} mm"}
    believed = refuse_contradiction(folder, "distance of slices", said, stated)
    remark = f"Of two statements of the distance of slices {believed} is believed."
    return spacing_mm if believed == POSITIONS else other_mm, (remark,)


def _refuse_doubled(folder: Path, planes: Sequence[Plane], along_mm: np.ndarray) -> None:
    """Refuse two planes at one position; say by which tags they differ."""
    doubled = np.flatnonzero(along_mm <= SPACING_TOLERANCE * along_mm.mean())
    if not len(doubled):
        return
    one, other = planes[doubled[0]], planes[doubled[0] + 1]
    differences = [
        f"{keyword} {_text(one, keyword)} and {_text(other, keyword)}"
        for keyword in PARTED_BY
        if _text(one, keyword) != _text(other, keyword)
    ]
    kept = "keep one of them" if len(doubled) == 1 else "keep one slice at each position"
    why = f" They differ in {'; '.join(differences)}." if differences else ""
    often = f", and so do {len(doubled) - 1} more" if len(doubled) > 1 else ""
    raise InputError(
        f"{folder}: {one.name} and {other.name} lie at the same position (slice spacing 0){often}; "
        f"{kept}.{why}"
    )


def _text(plane: Plane, keyword: str) -> str:
    value = value_of(plane.file.tags, keyword, plane.path)
    return "none" if value is None else str(value)


def _fitted(
    folder: Path, planes: Sequence[Plane], along_mm: np.ndarray, rounding_mm: float
) -> tuple[float, float]:
    """Fit an even grid to all positions: its spacing, and its start from the first plane, in mm.

    Refused are planes off it by more than the rounding of their text.
    """
    numbers = np.arange(len(planes))
    places_mm = np.concatenate([[0], np.cumsum(along_mm)])
    spacing_mm, start_mm = np.polyfit(numbers, places_mm, 1).tolist()
    off_mm = np.abs(places_mm - start_mm - spacing_mm * numbers)
    rounded_mm = min(1.5 * rounding_mm, ROUNDED_PART * spacing_mm)
    if off_mm.max() > SPACING_TOLERANCE * spacing_mm + rounded_mm:
        _refuse_gap(folder, planes, along_mm, rounding_mm)
    return spacing_mm, start_mm


def _refuse_gap(
    folder: Path, planes: Sequence[Plane], along_mm: np.ndarray, rounding_mm: float
) -> None:
    """Say what is wrong with the distance between two neighbouring planes."""
    usual_mm = float(np.median(along_mm))
    tolerance_mm = min(SPACING_TOLERANCE * usual_mm + 4 * rounding_mm, STEP_PART * usual_mm)
    counts = np.maximum(np.round(along_mm / usual_mm), 1).astype(int)
    uneven = np.abs(along_mm - counts * usual_mm)
    at = int(np.argmax(uneven if uneven.max() > tolerance_mm or counts.max() == 1 else counts))
    one, other = planes[at], planes[at + 1]
    said = (
        f"{folder}: {one.name} and {other.name} are {along_mm[at]:.4g} mm apart and the other "
        f"slices {usual_mm:.4g} mm"
    )
    if 2 * rounding_mm > ROUNDED_PART * usual_mm:
        said += f" (positions are given to {2 * rounding_mm:.2g} mm)"
    if counts.max() == 1 or uneven.max() > tolerance_mm:
        raise InputError(
            f"{said}: the slice spacing is not uniform; give a series with uniform spacing or "
            "resample it."
        )
    missing_mm = one.position_mm + usual_mm * one.normal
    gaps = int(np.count_nonzero(counts > 1))
    more = f" {int((counts - 1).sum())} slices are missing in all." if gaps > 1 else ""
    raise InputError(
        f"{said}: {counts[at] - 1} slice(s) missing between them, the first at position "
        f"{_position(missing_mm)}; {_where_to_look(folder, one, missing_mm, usual_mm)}.{more}"
    )


def _where_to_look(folder: Path, plane: Plane, missing_mm: np.ndarray, usual_mm: float) -> str:
    """Name a folder near by that has the missing plane, or say to put it back."""
    place_mm = missing_mm @ plane.normal
    for other in folders_with_rest(folder, plane.file.series):
        there = _positions(other, plane, usual_mm)
        if there and np.abs(np.subtract(there, place_mm)).min() < STEP_PART * usual_mm:
            return f"put them back from {other}, which holds slices of the same series"
    return "put them back"


def _refuse_leaning(
    folder: Path,
    planes: Sequence[Plane],
    along_mm: np.ndarray,
    steps_mm: np.ndarray,
    rounding_mm: float,
) -> None:
    """Refuse a stack that leans from its normal, or a plane that lies beside it."""
    sideways = np.cumsum(steps_mm - np.outer(along_mm, planes[0].normal), axis=0)
    off_mm = np.linalg.norm(sideways, axis=1)
    allowed_mm = (
        SPACING_TOLERANCE * float(along_mm.mean())
        + ORIENTATION_TOLERANCE * np.cumsum(along_mm)
        + 2 * rounding_mm
    )
    if np.any(off_mm > allowed_mm):
        step_mm = np.linalg.norm(np.diff(sideways, axis=0, prepend=0), axis=1).max()
        raise InputError(
            f"{folder}: the slices shift sideways by {step_mm:.3g} mm from one to the next "
            "(tilted gantry); resample the scan to a straight stack first."
        )


def _refuse_part_elsewhere(folder: Path, planes: Sequence[Plane], spacing_mm: float) -> None:
    """Refuse a part of a series whose other part lies in a folder near by.

    It does if both together are an even stack. A copy of the series is none, nor are others that
    some programs give the same UID.
    """
    first = planes[0]
    here = [float(one.position_mm @ first.normal) for one in planes]
    for other in folders_with_rest(folder, first.file.series):
        there = _positions(other, first, spacing_mm)
        steps_mm = np.diff(sorted([*here, *there]))
        usual_mm = float(np.median(steps_mm))
        even = np.all(np.abs(steps_mm - usual_mm) <= STEP_PART * usual_mm)
        if there and even and usual_mm > SPACING_TOLERANCE * spacing_mm:
            raise InputError(
                f"{folder}: holds a part of its series, at {min(here):.4g} to {max(here):.4g} mm "
                f"along the stack; {len(there)} more slices, at {min(there):.4g} to "
                f"{max(there):.4g} mm, are in {other}. Put all slices of the series into one "
                "folder."
            )


def _positions(folder: Path, like: Plane, spacing_mm: float) -> list[float]:
    """Return where the planes of a series in another folder lie along the stack of a plane."""
    found: list[float] = []
    for path in dicom_files(folder):
        try:
            file = read_tags(path)
            if file.series == like.file.series and file.has_pixels:
                planes = planes_of(file, NOTHING_STATED)
                found += [_along(one, like) for one in planes if _beside(one, like, spacing_mm)]
        except InputError:
            # What lies beside a scan is no reason to refuse it.
            continue
    return found


def _along(one: Plane, like: Plane) -> float:
    return float(one.position_mm @ like.normal)


def _beside(one: Plane, like: Plane, spacing_mm: float) -> bool:
    """Tell whether a plane may be of the same stack as another."""
    apart_mm = one.position_mm - like.position_mm
    sideways_mm = np.linalg.norm(apart_mm - (apart_mm @ like.normal) * like.normal)
    alike = np.allclose(one.rows_columns, like.rows_columns, atol=ORIENTATION_TOLERANCE)
    return bool(one.size == like.size and alike and sideways_mm < STEP_PART * spacing_mm)


def _position(point_mm: np.ndarray) -> str:
    return "\\".join(f"{value:.6g}" for value in point_mm)
