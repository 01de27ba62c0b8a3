"""DICOM: a folder with one series, or one enhanced multi-frame file; geometry from positions."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole
from otosynth.volumes.formats.base import Format, Slabs, Stated
from otosynth.volumes.formats.dicom_files import (
    Header, Series, dicom_files, is_dicom, one_series, read_header, value_of,
)  # fmt: skip
from otosynth.volumes.formats.dicom_pixels import values_of
from otosynth.volumes.formats.dicom_planes import Plane, planes_of
from otosynth.volumes.formats.dicom_stack import stack_of
from otosynth.volumes.formats.dicom_writing import DERIVATION, fill_folder, tags_of
from otosynth.volumes.slabs import slabs_of


__all__ = ["DERIVATION", "Dicom"]


class Dicom(Format):
    """A folder with the images of one series, or a file with all of them."""

    name = "dicom"
    description = "a folder with one DICOM series"

    def matches(self, path: Path) -> bool:
        """Tell whether it is a folder, or a DICOM file by its signature."""
        return path.is_dir() or (path.is_file() and is_dicom(path))

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        grid, slabs = self.read_slabs(path, stated)
        return grid.image(np.concatenate(list(slabs)))

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab; a multi-frame file is held as a whole."""
        planes = _planes(_series(path), stated.believe)
        ordered, grid = stack_of(path, planes, stated.believe)

        def slabs() -> Iterator[np.ndarray]:
            for rows in slabs_of(grid.shape):
                yield _values(ordered[rows])

        return grid, slabs()

    def files(self, path: Path) -> list[Path]:
        """List the DICOM files, those beside the series too."""
        return [path] if path.is_file() else dicom_files(path)

    def padding(self, path: Path) -> float | None:
        """Return PixelPaddingValue, rescaled as the first image is."""
        header = _series(path).images[0]
        stored = value_of(header.tags, "PixelPaddingValue", header.path)
        if stored is None:
            return None
        plane = planes_of(header, "PixelSpacing")[0]
        return float(_as_stored(header, int(stored)) * plane.slope + plane.intercept)

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
    if path.is_file():
        return one_series(path, [read_header(path)])
    files = dicom_files(path)
    if not files:
        raise InputError(_no_slices(path))
    return one_series(path, [read_header(file) for file in files])


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


def _planes(series: Series, believe: str) -> list[Plane]:
    """Return the planes of a series; refuse an image without pixels whose place is not filled."""
    planes = [plane for header in series.images for plane in planes_of(header, believe)]
    for header in series.empty:
        if not any(_same_place(header, plane) for plane in planes):
            raise InputError(
                f"{header.path}: has no pixels, though it is an image by its header "
                f"({header.kind}); it is truncated. Copy it again, or take it out of the folder."
            )
    return planes


def _same_place(header: Header, plane: Plane) -> bool:
    try:
        position = value_of(header.tags, "ImagePositionPatient", header.path)
        return bool(np.allclose(np.array(position, float), plane.position_mm))
    except (InputError, TypeError, ValueError):
        return False


def _values(planes: list[Plane]) -> np.ndarray:
    """Read planes (float32), each file once where its planes follow one another."""
    parts = [
        values_of(header, list(group))
        for header, group in groupby(planes, key=lambda plane: plane.header)
    ]
    return np.concatenate(parts)


def _as_stored(header: Header, number: int) -> int:
    """Read a number as the pixels are stored: writers give negative ones without their sign."""
    bits = int(value_of(header.tags, "BitsAllocated", header.path) or 16)
    signed = int(value_of(header.tags, "PixelRepresentation", header.path) or 0)
    number %= 2**bits
    return number - 2**bits if signed and number >= 2 ** (bits - 1) else number
