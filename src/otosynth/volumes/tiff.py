"""TIFF stacks: a folder of slices or one multi-page file, with the geometry in a JSON file.

TIFF has no voxel size, so a file ``spacing.json`` lies in the folder (or beside the multi-page
file, where ``<name>.spacing.json`` goes before it when several lie in one folder)::

    {"spacing_mm": [0.0376, 0.0376, 0.0376], "origin_mm": [0, 0, 0],
     "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1]}

``spacing_mm`` (x, y, z) is needed; z is the distance of neighbouring slices. ``origin_mm``
(x, y, z of the first voxel's centre, LPS) defaults to zeros, and ``direction`` (ITK's 3 x 3
direction matrix row by row, its columns the directions of the x, y and z index) to the identity.
Slices are ordered by the last number in their names.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError, field_validator

from otosynth.errors import InputError
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import quiet_itk, read_header, read_image, refuse_other_than_3d_scalar
from otosynth.volumes.slabs import slabs_of

ENDINGS = (".tif", ".tiff")
SIDECAR = "spacing.json"
TIFF_IO = "TIFFImageIO"

Triple = tuple[float, float, float]
Matrix = tuple[float, float, float, float, float, float, float, float, float]


class Geometry(BaseModel):
    """Contents of ``spacing.json``; see the module's docstring."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat]
    origin_mm: Triple = (0.0, 0.0, 0.0)
    direction: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @field_validator("direction")
    @classmethod
    def _orthonormal(cls, direction: Matrix) -> Matrix:
        matrix = np.reshape(direction, (3, 3))
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4):
            raise ValueError("must be a rotation matrix (orthonormal columns)")
        return direction


def is_tiff(path: Path) -> bool:
    """Tell by its ending whether a file is TIFF."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def slices_in(folder: Path) -> list[Path]:
    """List the TIFF files of a folder in the order of the numbers in their names."""
    return sorted(filter(is_tiff, folder.iterdir()), key=lambda p: (_number(p), p.name))


def files_of_folder(folder: Path) -> list[Path]:
    """List the slices and the sidecar, sorted by name."""
    return sorted([*slices_in(folder), folder / SIDECAR])


def sidecar_of(path: Path) -> Path:
    """Path of the sidecar of a multi-page file: its own, or the one of its folder."""
    own = path.with_name(f"{path.stem}.{SIDECAR}")
    return own if own.exists() else path.with_name(SIDECAR)


def read_folder(folder: Path) -> sitk.Image:
    """Read a folder of TIFF slices as a float32 volume.

    Raises
    ------
    InputError
        If ``spacing.json`` is missing or wrong, the numbering has a gap or a repetition, the
        slices differ in size, or one cannot be read.
    """
    grid, slabs = slabs_of_folder(folder)
    return grid.image(np.concatenate(list(slabs)))


def slabs_of_folder(folder: Path) -> tuple[Grid, Iterator[np.ndarray]]:
    """Return the grid of a folder of slices, and its voxels slab by slab (float32; rows, y, x).

    Raises
    ------
    InputError
        As ``read_folder``; of a slice that cannot be read, when it is its turn.
    """
    geometry = _read_geometry(folder / SIDECAR)
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


def read_multipage(path: Path) -> sitk.Image:
    """Read one multi-page TIFF as a float32 volume; errors as in :func:`read_folder`."""
    geometry = _read_geometry(sidecar_of(path))
    return _with_geometry(read_image(path, TIFF_IO), geometry)


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


def _read_geometry(path: Path) -> Geometry:
    """Read and validate a sidecar."""
    if not path.is_file():
        raise InputError(
            f"{path}: missing. A TIFF stack needs it for its voxel size: "
            '{"spacing_mm": [x, y, z], "origin_mm": [x, y, z]}.'
        )
    try:
        return Geometry.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise InputError(f"{path}: {problems}.") from error


def _with_geometry(image: sitk.Image, geometry: Geometry) -> sitk.Image:
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction)
    return image
