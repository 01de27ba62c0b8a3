"""TIFF: a folder of slices with ``spacing.json``, ordered by the last number in their names."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole, write_bytes
from otosynth.volumes.formats.base import Format, Slabs
from otosynth.volumes.formats.sidecar import SIDECAR, TIFF_IO, is_tiff, read_geometry
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import quiet_itk, read_header, refuse_other_than_3d_scalar
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Stated


class TiffSlices(Format):
    """A folder of slices."""

    name = "tiff"
    description = "a folder of TIFF slices with spacing.json"

    def matches(self, path: Path) -> bool:
        """Tell whether it is a folder with a TIFF in it."""
        return path.is_dir() and bool(slices_in(path))

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        grid, slabs = _slabs_of_folder(path)
        return grid.image(np.concatenate(list(slabs)))

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, never as a whole."""
        return _slabs_of_folder(path)

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
    """List the TIFF files of a folder in the order of the numbers in their names."""
    return sorted(filter(is_tiff, folder.iterdir()), key=lambda p: (_number(p), p.name))


def _slabs_of_folder(folder: Path) -> tuple[Grid, Iterator[np.ndarray]]:
    """Return the grid of a folder of slices, and its voxels slab by slab (float32; rows, y, x).

    Raises
    ------
    InputError
        If ``spacing.json`` is missing or wrong, the numbering has a gap or a repetition, the
        slices differ in size, or one cannot be read, when it is its turn.
    """
    geometry = read_geometry(folder / SIDECAR)
    slices = slices_in(folder)
    _check_numbering(folder, slices)
    width, height = _check_sizes(folder, slices)
    size = (width, height, len(slices))
    grid = Grid(size, geometry.spacing_mm, geometry.origin_mm, geometry.direction)

    def slabs() -> Iterator[np.ndarray]:
        for rows in slabs_of(grid.shape):
            reader = sitk.ImageSeriesReader()
            reader.SetImageIO(TIFF_IO)
            reader.SetFileNames([str(path) for path in slices[rows]])
            reader.SetOutputPixelType(sitk.sitkFloat32)
            with quiet_itk(folder):
                slab = sitk.GetArrayFromImage(reader.Execute())
            # A single slice may come as 2D.
            yield slab.reshape(-1, height, width)

    return grid, slabs()


def _number(path: Path) -> int:
    """Last number in the file's name; -1 where there is none."""
    digits = re.findall(r"\d+", path.stem)
    return int(digits[-1]) if digits else -1


def _check_numbering(folder: Path, slices: list[Path]) -> None:
    """Refuse a stack with a missing slice, which would make the slice spacing non-uniform."""
    numbers = [_number(path) for path in slices]
    if len(slices) < 2:
        raise InputError(f"{folder}: holds a single TIFF slice; name the file if it is a volume.")
    steps = np.diff(numbers)
    if steps.min() == 0:
        at = int(steps.argmin())
        raise InputError(
            f"{folder}: {slices[at].name} and {slices[at + 1].name} have the same slice number "
            f"or none; number the slices of one stack 0000, 0001, ... and keep one per folder."
        )
    if steps.max() > steps.min():
        at = int(steps.argmax())
        raise InputError(
            f"{folder}: a slice is missing between {slices[at].name} and {slices[at + 1].name}, "
            "so the slice spacing is not uniform; put it back."
        )


def _check_sizes(folder: Path, slices: list[Path]) -> tuple[int, int]:
    """Return width and height; refuse slices of differing size, or colour slices."""
    first: tuple[int, ...] = ()
    for path in slices:
        header = read_header(path, TIFF_IO)
        size = header.GetSize()[:2]
        first = first or size
        if size != first:
            raise InputError(
                f"{folder}: {path.name} has {size[0]} x {size[1]} pixels and {slices[0].name} "
                f"{first[0]} x {first[1]}; all slices must have the same size."
            )
        refuse_other_than_3d_scalar(path, (*size, len(slices)), header.GetNumberOfComponents())
    width, height = first
    return width, height


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
