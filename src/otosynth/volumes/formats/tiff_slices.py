"""TIFF: a folder of slices with ``spacing.json``, ordered by the last number in their names."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole, write_bytes
from otosynth.volumes.formats.base import FormatBySlabs, Header, Slabs
from otosynth.volumes.formats.dicom_files import dicom_files, is_dicom
from otosynth.volumes.formats.sidecar import SIDECAR, is_tiff
from otosynth.volumes.formats.tiff_file import Pages, kind_in_words, pages_of, read_pages
from otosynth.volumes.formats.tiff_sizes import stack_header
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Stated


class TiffSlices(FormatBySlabs):
    """A folder of slices."""

    name = "tiff"
    description = "a folder of TIFF slices with spacing.json"

    def matches(self, path: Path) -> bool:
        """Tell whether it is a folder with a TIFF in it that does not lie beside a DICOM series."""
        if not path.is_dir() or not slices_in(path):
            return False
        return (path / SIDECAR).exists() or not dicom_files(path)

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the sidecar and the slices' headers say; see `Format.header`."""
        return _read_headers(path, stated)[0]

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, never as a whole."""
        header, pages = _read_headers(path, stated)

        def slabs() -> Iterator[np.ndarray]:
            for rows in slabs_of(header.grid.shape):
                yield np.concatenate([read_pages(one, slice(0, 1)) for one in pages[rows]])

        return header.grid, slabs()

    def files(self, path: Path) -> list[Path]:
        """List the slices and the sidecar."""
        return sorted([*slices_in(path), path / SIDECAR])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder of slices with its sidecar, in place of what was there."""
        path = stem.with_name(f"{stem.name}-tiff")
        with folder_written_whole(path) as folder:
            _fill_tiff(image, folder)
        return path


def slices_in(folder: Path) -> list[Path]:
    """List the TIFF files of a folder in the order of the last numbers in their names."""
    found = filter(is_tiff, folder.iterdir())
    # Those without a number come last, to be named.
    return sorted(found, key=lambda p: (_number(p) is None, _number(p) or 0, p.name))


def _read_headers(folder: Path, stated: Stated) -> tuple[Header, list[Pages]]:
    """Return what a folder of slices says of its place, and its slices in their order.

    Raises
    ------
    InputError
        If ``spacing.json`` is missing or wrong, the numbering has a gap or a repetition, or the
        slices differ in size or kind.
    """
    if any(is_dicom(path) for path in folder.iterdir() if path.is_file() and not is_tiff(path)):
        raise InputError(
            f"{folder}: holds TIFF slices with {SIDECAR} and DICOM files; keep one scan per folder."
        )
    slices = slices_in(folder)
    _check_numbering(folder, slices)
    pages = _alike_pages(folder, slices)
    _, height, width = pages[0].shape
    size = (width, height, len(slices))
    header = stack_header(folder, folder / SIDECAR, size, pages[0].sizes, stated)
    remarks = [remark for one in pages for remark in one.remarks]
    return replace(header, remarks=(*header.remarks, *remarks)), pages


def _number(path: Path) -> int | None:
    """Last number in the file's name; None where there is none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else None


def _check_numbering(folder: Path, slices: list[Path]) -> None:
    """Refuse a stack with a stray image or a missing slice, which would move the others."""
    if len(slices) < 2:
        raise InputError(f"{folder}: holds a single TIFF slice; name the file if it is a volume.")
    if _number(slices[0]) is not None and _number(slices[-1]) is None:
        raise InputError(
            f"{folder}: {slices[-1].name} has no slice number and the others have; if it is no "
            "slice, such as a projection or an overview, take it out of the folder."
        )
    numbers = [_number(path) or 0 for path in slices]
    steps = np.diff(numbers)
    if steps.min() == 0:
        at = int(steps.argmin())
        raise InputError(
            f"{folder}: {slices[at].name} and {slices[at + 1].name} have the same slice number "
            f"or none; number the slices of one stack 0000, 0001, ... and keep one per folder."
        )
    _refuse_other_names(folder, slices)
    if steps.max() > steps.min():
        at = int(steps.argmax())
        raise InputError(
            f"{folder}: a slice is missing between {slices[at].name} and {slices[at + 1].name}, "
            "so the slice spacing is not uniform; put it back."
        )


def _refuse_other_names(folder: Path, slices: list[Path]) -> None:
    """Refuse an image that is numbered as the next slice and named as none."""
    shapes = [re.sub(r"\d+", "#", path.stem) for path in slices]
    usual, count = Counter(shapes).most_common(1)[0]
    stray = [path.name for path, shape in zip(slices, shapes, strict=True) if shape != usual]
    if stray:
        like = slices[shapes.index(usual)].name
        raise InputError(
            f"{folder}: {stray[0]} is named otherwise than the {count} slices like {like}; if it "
            "is no slice, take it out of the folder, else rename it."
        )


def _alike_pages(folder: Path, slices: list[Path]) -> list[Pages]:
    """Check each slice's file; refuse several pages in one, and slices that differ."""
    pages = [pages_of(path) for path in slices]
    first = pages[0]
    for one in pages:
        if one.shape[0] != 1:
            raise InputError(
                f"{one.path}: holds {one.shape[0]} pages; in a folder a slice is a file of one "
                "page. Name the file itself if it is the volume."
            )
        if (one.shape, one.kind) != (first.shape, first.kind):
            raise InputError(
                f"{folder}: {one.path.name} has {_looks(one)} and {first.path.name} "
                f"{_looks(first)}; all slices must have the same size and type of numbers."
            )
    return pages


def _looks(page: Pages) -> str:
    _, height, width = page.shape
    return f"{width} x {height} pixels ({kind_in_words(page.kind)})"


def _fill_tiff(image: sitk.Image, folder: Path) -> None:
    """Write slices 0000.tif, 0001.tif, ... and ``spacing.json``."""
    for z in range(image.GetDepth()):
        sitk.WriteImage(image[:, :, z], str(folder / f"{z:04}.tif"), useCompression=True)
    geometry = {
        "spacing_mm": image.GetSpacing(),
        "origin_mm": image.GetOrigin(),
        "direction": image.GetDirection(),
    }
    write_bytes(folder / SIDECAR, (json.dumps(geometry) + "\n").encode())
