"""Reading one file with ITK: quietly, and with its errors turned into messages for people."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.grids import Grid


def read_image(path: Path, image_io: str = "") -> sitk.Image:
    """Read one file as a 3D scalar float32 image.

    Parameters
    ----------
    path
        The file.
    image_io
        Name of the ITK reader to use, by default the one that recognises the file.

    Raises
    ------
    InputError
        If ITK cannot read the file, or it is not a 3D volume with one value per voxel.
    """
    reader = read_header(path, image_io)
    refuse_other_than_3d_scalar(path, reader.GetSize(), reader.GetNumberOfComponents())
    with quiet_itk(path):
        image = reader.Execute()
    refuse_sheared(path, Grid.of(image))
    return image


def read_grid(path: Path) -> Grid:
    """Return the grid of a 3D scalar volume in one file, from its header alone.

    Raises
    ------
    InputError
        If ITK cannot read the header, or it is not of a 3D volume with one value per voxel.
    """
    reader = read_header(path)
    refuse_other_than_3d_scalar(path, reader.GetSize(), reader.GetNumberOfComponents())
    grid = Grid.of(reader)
    refuse_sheared(path, grid)
    return grid


def read_header(path: Path, image_io: str = "") -> sitk.ImageFileReader:
    """Read a file's header; the reader returned holds size, spacing and tags."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(image_io)
    reader.SetOutputPixelType(sitk.sitkFloat32)
    with quiet_itk(path):
        reader.ReadImageInformation()
    return reader


def refuse_other_than_3d_scalar(path: Path, size: tuple[int, ...], components: int) -> None:
    """Refuse 2D images, time series and vector or colour volumes."""
    if components != 1:
        raise InputError(
            f"{path}: has {components} values per voxel (a vector or colour volume); "
            "give a volume with one grey value per voxel."
        )
    if len(size) != 3 or min(size) < 2:
        shape = " x ".join(map(str, size))
        raise InputError(
            f"{path}: has {shape} voxels, which is no 3D volume; "
            "give a single volume with at least two slices."
        )


def refuse_sheared(path: Path, grid: Grid) -> None:
    """Refuse axes that are not at right angles, which no other part of the study expects."""
    direction = np.reshape(grid.direction, (3, 3))
    # Of a damaged header they may be too large to be multiplied.
    with np.errstate(over="ignore", invalid="ignore"):
        products = direction.T @ direction
    if not np.allclose(products, np.eye(3), atol=1e-4):
        raise InputError(
            f"{path}: its axes are not at right angles; resample it to a straight grid first."
        )


@contextmanager
def quiet_itk(path: Path) -> Iterator[None]:
    """Keep the file libraries' own messages off the terminal; turn errors into `InputError`.

    The C and C++ libraries under ITK print warnings directly on the process's standard error,
    so it is the file descriptor that has to be turned aside.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as aside:
            os.dup2(aside.fileno(), 2)
            yield
    except RuntimeError as error:
        raise InputError(
            f"{path}: cannot be read; it may be truncated or damaged ({_reason(error)})."
        ) from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _reason(error: RuntimeError) -> str:
    """Shorten an ITK error to its last line, without source files and object addresses."""
    lines = str(error).strip().splitlines()
    # MetaImage appends the system's last error, which has nothing to do with the file.
    last = [line for line in lines if not line.startswith("Reason:")][-1]
    return last.split("ERROR:")[-1].split("): ")[-1].strip().rstrip(".")
