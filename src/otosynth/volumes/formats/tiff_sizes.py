"""Voxel sizes that a TIFF file states: in ImageJ's text, in OME-XML, or by its resolution tags."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Header
from otosynth.volumes.formats.rules import (
    MM_OF_UNIT,
    axes_of,
    grid_of,
    orientation_of,
    refuse_contradiction,
)
from otosynth.volumes.formats.sidecar import SIDECAR, read_geometry
from otosynth.volumes.stated import Stated

# The tag ResolutionUnit.
INCH, CENTIMETRE = 2, 3
# Two statements of one length agree to this part of it.
AGREEMENT = 0.01
# The words of believe.
SPACING_JSON, OME, IMAGEJ, TAGS = "spacing-json", "ome", "imagej", "resolution-tags"
# Dots per inch that programs write for the printer and the screen where they know no voxel size;
# 25.4 is a spacing of 1 mm, which is ITK's default.
FOR_THE_PRINTER = (0, 1, 25.4, 72, 90, 96, 100, 120, 144, 150, 180, 200, 240, 300, 400, 600, 1200)


@dataclass(frozen=True)
class Size:
    """A voxel size in mm (x, y, z; None where it is not stated), and the word of where."""

    place: str
    spacing_mm: tuple[float | None, float | None, float | None]


def sizes_stated(path: Path, file: tifffile.TiffFile, first: tifffile.TiffPage) -> tuple[Size, ...]:
    """List the voxel sizes that an open file states, of which the first page is given."""
    if file.is_ome:
        return (_of_ome(path, file.ome_metadata or "", len(file.pages)),)
    if file.is_imagej:
        size = _of_imagej(file.imagej_metadata or {}, first)
        return (size,) if size else ()
    size = _of_tags(first)
    return (size,) if size else ()


def stack_header(
    path: Path, sidecar: Path, size: Sequence[int], sizes: Sequence[Size], stated: Stated
) -> Header:
    """Return what is known of a stack's place, from the file beside it and from its pages.

    Parameters
    ----------
    sidecar
        The file beside it; where there is none, the pages must state a voxel size along all axes,
        and the lab the orientation.
    size
        Voxels along x, y, z.
    sizes
        Voxel sizes that the pages state.

    Raises
    ------
    InputError
        If the file is wrong, or missing and needed; or if two voxel sizes disagree and the lab does
        not say which to believe.
    """
    whole = next((one for one in sizes if None not in one.spacing_mm), None)
    if not sidecar.is_file() and whole is not None:
        spacing_mm = [mm for mm in whole.spacing_mm if mm is not None]
        axes = orientation_of(path, stated, f"no {SIDECAR} lies beside it")
        said = f"No {SIDECAR}: its voxel size is from {_words(whole)}, its origin 0."
        return Header(grid_of(path, size, spacing_mm, (0, 0, 0), axes), remarks=(said,))
    geometry = read_geometry(sidecar)
    remarks = []
    direction = np.reshape(geometry.direction, (3, 3))
    if "direction" not in geometry.model_fields_set:
        letters = "LPS" if stated.orientation == "header" else stated.orientation
        direction = axes_of(letters)
        remarks.append(f"{sidecar.name} states no direction; the axes are taken as {letters}.")
    spacing_mm, decided = _agreed(path, geometry.spacing_mm, sizes, stated)
    remarks += decided
    grid = grid_of(path, size, spacing_mm, geometry.origin_mm, direction)
    return Header(grid, remarks=tuple(remarks))


def _agreed(
    path: Path, spacing_mm: Sequence[float], sizes: Sequence[Size], stated: Stated
) -> tuple[list[float], list[str]]:
    """Compare what the file beside a stack states with what its pages do; return what holds."""
    for size in sizes:
        pairs = list(zip(spacing_mm, size.spacing_mm, strict=True))
        if all(b is None or math.isclose(a, b, rel_tol=AGREEMENT) for a, b in pairs):
            continue
        said = {SPACING_JSON: _mm(spacing_mm), size.place: _mm(size.spacing_mm)}
        believed = refuse_contradiction(path, "voxel size", said, stated)
        remark = f"Of two statements of the voxel size {believed} is believed ({said[believed]})."
        if believed == SPACING_JSON:
            return list(spacing_mm), [remark]
        return [a if b is None else b for a, b in pairs], [remark]
    return list(spacing_mm), []


def _words(size: Size) -> str:
    return {OME: "its OME-XML", IMAGEJ: "ImageJ's text"}.get(size.place, size.place)


def _mm(spacing_mm: Sequence[float | None]) -> str:
    return " x ".join("?" if s is None else f"{s:.4g}" for s in spacing_mm) + " mm"


def _of_ome(path: Path, text: str, pages: int) -> Size:
    """Read OME-XML; refuse what is not one volume with a page a slice."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: its OME-XML cannot be read ({error}).") from error
    all_pixels = [element for element in root.iter() if element.tag.endswith("}Pixels")]
    if len(all_pixels) != 1:
        raise InputError(
            f"{path}: its OME-XML describes {len(all_pixels)} images; save one volume alone."
        )
    pixels = all_pixels[0].attrib
    slices, channels, times = (int(pixels.get(f"Size{axis}", 1)) for axis in "ZCT")
    if channels * times != 1:
        raise InputError(
            f"{path}: holds {channels} channels and {times} times by its OME-XML; save one "
            "channel and one time alone."
        )
    if slices not in (1, pages) and pages != 1:
        raise InputError(
            f"{path}: has {pages} pages and its OME-XML announces {slices} slices; it is "
            "truncated, or the others are in files beside it. Save it as one file."
        )
    return Size(OME, (_ome_mm(pixels, "X"), _ome_mm(pixels, "Y"), _ome_mm(pixels, "Z")))


def _ome_mm(pixels: dict[str, str], axis: str) -> float | None:
    unit = MM_OF_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return _positive(pixels.get(f"PhysicalSize{axis}"), unit)


def _of_imagej(text: dict[str, object], page: tifffile.TiffPage) -> Size | None:
    """ImageJ's unit is of the resolution tags, too, whatever the tag ResolutionUnit says."""
    name = str(text.get("unit", "")).replace("\\u00B5", "µ").lower()
    unit = MM_OF_UNIT.get(name)
    if unit is None:
        return _of_tags(page)
    x, y = (_length(page, axis, unit) for axis in "XY")
    return Size(IMAGEJ, (x, y, _positive(text.get("spacing"), unit)))


def _of_tags(page: tifffile.TiffPage) -> Size | None:
    unit = {INCH: 25.4, CENTIMETRE: 10.0}.get(page.tags.valueof("ResolutionUnit", INCH))
    if unit is None:
        return None
    x, y = (_length(page, axis, unit) for axis in "XY")
    if x is None or y is None or any(_for_the_printer(size) for size in (x, y)):
        return None
    return Size(TAGS, (x, y, None))


def _for_the_printer(size_mm: float) -> bool:
    return any(math.isclose(25.4 / size_mm, dots, rel_tol=1e-3) for dots in FOR_THE_PRINTER)


def _length(page: tifffile.TiffPage, axis: str, unit_mm: float) -> float | None:
    """Return the length of a pixel (mm), of which the tag gives how many make a unit."""
    above, below = page.tags.valueof(f"{axis}Resolution", (0, 1))
    return _positive(below / above if above else None, unit_mm)


def _positive(value: object, unit_mm: float | None) -> float | None:
    """Return a length in mm; None where it, or its unit, is no length."""
    try:
        length = float(str(value)) * (unit_mm or math.nan)
    except ValueError:
        return None
    return length if 0 < length < math.inf else None
