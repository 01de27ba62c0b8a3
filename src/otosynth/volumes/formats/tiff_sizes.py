"""Voxel sizes that a TIFF file states: in ImageJ's text, in OME-XML, or by its resolution tags."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from otosynth.errors import InputError

Triple = tuple[float, float, float]

# Millimetres of a unit, as ImageJ and OME write them.
UNITS_MM = {
    "nm": 1e-6, "nanometer": 1e-6,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "centimeter": 10.0, "m": 1000.0, "meter": 1000.0,
    "inch": 25.4, "in": 25.4,
}  # fmt: skip
# The tag ResolutionUnit.
INCH, CENTIMETRE = 2, 3
# Two statements of one length agree to this part of it.
AGREEMENT = 0.01
# What the key believe says of the voxel sizes in a TIFF file itself.
HEADER = "header"
# Dots per inch that programs write for the printer and the screen where they know no voxel size;
# 25.4 is a spacing of 1 mm, which is ITK's default.
FOR_THE_PRINTER = (0, 1, 25.4, 72, 90, 96, 100, 120, 144, 150, 180, 200, 240, 300, 400, 600, 1200)


@dataclass(frozen=True)
class Size:
    """A voxel size in mm (x, y, z; None where it is not stated), and where it stands."""

    place: str
    spacing_mm: tuple[float | None, float | None, float | None]


def sizes_stated(path: Path, file: tifffile.TiffFile) -> tuple[Size, ...]:
    """List the voxel sizes that an open file states."""
    first = file.pages[0]
    if file.is_ome:
        return (_of_ome(path, file.ome_metadata or "", len(file.pages)),)
    if file.is_imagej:
        size = _of_imagej(file.imagej_metadata or {}, first)
        return (size,) if size else ()
    size = _of_tags(first)
    return (size,) if size else ()


def agreed_spacing(
    path: Path, spacing_mm: Triple, place: str, sizes: Sequence[Size], believe: str
) -> Triple:
    """Return a stack's voxel size (x, y, z; mm), which a file beside it and its pages may state.

    Parameters
    ----------
    spacing_mm, place
        What the file beside it states, and its name.
    sizes
        What the pages state.
    believe
        The file's name or ``header``: which to believe where they disagree.

    Raises
    ------
    InputError
        If they disagree and ``believe`` is neither.
    """
    for size in sizes:
        pairs = list(zip(spacing_mm, size.spacing_mm, strict=True))
        agree = all(b is None or math.isclose(a, b, rel_tol=AGREEMENT) for a, b in pairs)
        if not agree and believe == HEADER:
            x, y, z = (a if b is None else b for a, b in pairs)
            return x, y, z
        if not agree and believe != place:
            raise InputError(
                f"{path}: its voxel size is stated twice: {_mm(spacing_mm)} in {place}, "
                f"{_mm(size.spacing_mm)} in {size.place}. Find out which is true, and correct "
                f"{place}, or state it by the key believe: {place} or {HEADER}."
            )
    return spacing_mm


def whole_spacing(sizes: Sequence[Size]) -> tuple[Triple, str] | None:
    """Return the first voxel size that is stated along all three axes, and where it stands."""
    for size in sizes:
        x, y, z = size.spacing_mm
        if x is not None and y is not None and z is not None:
            return (x, y, z), size.place
    return None


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
    return Size("its OME-XML", (_ome_mm(pixels, "X"), _ome_mm(pixels, "Y"), _ome_mm(pixels, "Z")))


def _ome_mm(pixels: dict[str, str], axis: str) -> float | None:
    unit = UNITS_MM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    return _positive(pixels.get(f"PhysicalSize{axis}"), unit)


def _of_imagej(text: dict[str, object], page: tifffile.TiffPage) -> Size | None:
    """ImageJ's unit is of the resolution tags, too, whatever the tag ResolutionUnit says."""
    name = str(text.get("unit", "")).replace("\\u00B5", "µ").lower()
    unit = UNITS_MM.get(name)
    if unit is None:
        return _of_tags(page)
    x, y = (_length(page, axis, unit) for axis in "XY")
    return Size("ImageJ's text", (x, y, _positive(text.get("spacing"), unit)))


def _of_tags(page: tifffile.TiffPage) -> Size | None:
    unit = {INCH: 25.4, CENTIMETRE: 10.0}.get(page.tags.valueof("ResolutionUnit", INCH))
    if unit is None:
        return None
    x, y = (_length(page, axis, unit) for axis in "XY")
    if x is None or y is None or any(_for_the_printer(size) for size in (x, y)):
        return None
    return Size("its resolution tags", (x, y, None))


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
