"""DICOM: a folder with one series, or one enhanced multi-frame file; geometry from positions."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole
from otosynth.volumes.formats.base import FormatBySlabs, Header, Slabs
from otosynth.volumes.formats.dicom_files import (
    DicomFile,
    Series,
    dicom_files,
    is_dicom,
    one_series,
    read_tags,
    told,
    value_of,
)
from otosynth.volumes.formats.dicom_pixels import values_of
from otosynth.volumes.formats.dicom_planes import AGREEMENT, Plane, planes_of, scales_of
from otosynth.volumes.formats.dicom_stack import stack_of
from otosynth.volumes.formats.dicom_writing import DERIVATION, fill_folder, tags_of
from otosynth.volumes.grids import Grid
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Range, Stated

__all__ = ["DERIVATION", "Dicom"]


class Dicom(FormatBySlabs):
    """A folder with the images of one series, or a file with all of them."""

    name = "dicom"
    description = "a folder with one DICOM series"
    last_resort = True

    def matches(self, path: Path) -> bool:
        """Tell whether it is a folder, or a DICOM file by its signature."""
        return path.is_dir() or (path.is_file() and is_dicom(path))

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the headers say; see `Format.header`."""
        series = _series(path)
        _, grid, remarks = stack_of(path, _planes(series, stated), stated)
        return Header(grid, remarks=(*series.remarks, *remarks, *_remarks(series.images[0], grid)))

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab; a multi-frame file is held as a whole."""
        planes, grid, _ = stack_of(path, _planes(_series(path), stated), stated)

        def slabs() -> Iterator[np.ndarray]:
            for rows in slabs_of(grid.shape):
                yield _values(planes[rows])

        return grid, slabs()

    def files(self, path: Path) -> list[Path]:
        """List the DICOM files, those beside the series too."""
        return [path] if path.is_file() else dicom_files(path)

    def padding(self, path: Path) -> tuple[Range, ...]:
        """Return PixelPaddingValue, or what it and PixelPaddingRangeLimit enclose.

        Rescaled as each image is: their slopes may differ.
        """
        ranges = [one for file in _series(path).images for one in _padding_of(file)]
        return tuple(dict.fromkeys(ranges))

    def tags(self, path: Path) -> Mapping[str, str]:
        """Return the tags of the patient and the study."""
        return tags_of(_series(path).images[0])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder with a derived CT series, in place of what was there."""
        path = stem.with_name(f"{stem.name}-dicom")
        with folder_written_whole(path) as folder:
            fill_folder(image, folder, tags, description)
        return path


def _series(path: Path) -> Series:
    """Read the headers of a scan and choose the images of its one series."""
    files = [path] if path.is_file() else dicom_files(path)
    if not files:
        raise InputError(_no_slices(path))
    with told(path):
        return one_series(path, [read_tags(file) for file in files])


def _no_slices(folder: Path) -> str:
    """Say that a folder holds no slices, and which folders within it do."""
    within = [each for each in sorted(folder.iterdir()) if each.is_dir() and dicom_files(each)]
    if len(within) > 1:
        names = ", ".join(each.name for each in within)
        return (
            f"{folder}: holds no slices itself, and its folders {names} do. Put all slices of one "
            "series into one folder, or name the folder of one."
        )
    return (
        f"{folder}: the folder holds neither TIFF slices nor DICOM files; name the folder "
        f"that holds the slices themselves{f', {within[0].name}' if within else ''}."
    )


def _planes(series: Series, stated: Stated) -> list[Plane]:
    """Return the planes of a series; refuse an image without pixels whose place is not filled."""
    planes = [plane for file in series.images for plane in planes_of(file, stated)]
    for file in series.empty:
        if not any(_same_place(file, plane) for plane in planes):
            raise InputError(
                f"{file.path}: has no pixels, though it is an image by its header "
                f"({file.kind}); copy it again, or take it out of the folder."
            )
    return planes


def _same_place(file: DicomFile, plane: Plane) -> bool:
    try:
        position = value_of(file.tags, "ImagePositionPatient", file.path)
        return bool(np.allclose(np.array(position, float), plane.position_mm))
    except (InputError, TypeError, ValueError):
        return False


def _values(planes: list[Plane]) -> np.ndarray:
    """Read planes (float32), each file once where its planes follow one another."""
    parts = [
        values_of(file, list(group))
        for file, group in groupby(planes, key=lambda plane: plane.file)
    ]
    return np.concatenate(parts)


def _padding_of(file: DicomFile) -> Iterator[Range]:
    """Yield the range of padding of each plane of a file; nothing where it declares none."""
    ends = [
        value_of(file.tags, keyword, file.path)
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
    ]
    if ends[0] is None:
        return
    stored = [_as_stored(file, int(end)) for end in ends if end is not None]
    for slope, intercept in scales_of(file):
        values = [float(np.float32(one * slope + intercept)) for one in stored]
        yield min(values), max(values)


def _as_stored(file: DicomFile, number: int) -> int:
    """Read a number as the pixels are stored: writers give negative ones without their sign."""
    bits = int(value_of(file.tags, "BitsAllocated", file.path) or 16)
    signed = int(value_of(file.tags, "PixelRepresentation", file.path) or 0)
    number %= 2**bits
    return number - 2**bits if signed and number >= 2 ** (bits - 1) else number


def _remarks(file: DicomFile, grid: Grid) -> list[str]:
    """Say what else of a series may be other than it seems, by its first image."""
    remarks = []
    thickness = value_of(file.tags, "SliceThickness", file.path)
    spacing_mm = grid.spacing_mm[2]
    if thickness and abs(float(thickness) - spacing_mm) > AGREEMENT * spacing_mm:
        remarks.append(
            f"Its slices are {float(thickness):g} mm thick and {spacing_mm:.4g} mm apart."
        )
    if value_of(file.tags, "LossyImageCompression", file.path) == "01":
        remarks.append("Its values were compressed with loss.")
    return remarks
