"""Reading volumes of every known format, geometry from the file, axes right-handed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats import NOTHING_STATED, Format, Stated, format_of
from otosynth.volumes.formats.base import Header, Slabs
from otosynth.volumes.formats.rules import (
    check_plausible,
    is_left_handed,
    right_handed,
    right_handed_slabs,
)
from otosynth.volumes.grids import Grid
from otosynth.volumes.stated import Range


def read_volume(path: Path, stated: Stated = NOTHING_STATED) -> sitk.Image:
    """Read a scan as a 3D float32 image with the geometry of its file, on right-handed axes.

    Known are the formats of :mod:`otosynth.volumes.formats`. Points are in mm, LPS. Axes that are
    left-handed in the file are made right-handed: x comes from its other end, and every voxel
    keeps its place. Else the array would be a mirror image, a left ear for a right one.

    Parameters
    ----------
    path
        The scan's file or folder.
    stated
        What the lab states where the file does not.

    Raises
    ------
    InputError
        If the path is missing, may not be read, is of an unknown format, unreadable or truncated,
        no 3D scalar volume, contradicts itself, states no orientation, or has a voxel size that is
        zero, negative, non-uniform or none of a CT or micro-CT.
    """
    with _readable(path) as its_format:
        image = its_format.read(path, stated)
    check_plausible(path, Grid.of(image))
    return right_handed(image)


def read_slabs(path: Path, stated: Stated = NOTHING_STATED) -> Slabs:
    """Read a scan slab by slab: its grid, and float32 arrays (rows, y, x) along z.

    A NIfTI file that is not compressed and a folder of TIFF slices are never held as a whole;
    other formats are.

    Raises
    ------
    InputError
        As ``read_volume``; of a slab that cannot be read, when it is its turn.
    """
    with _readable(path) as its_format:
        grid, slabs = its_format.read_slabs(path, stated)
    check_plausible(path, grid)
    return right_handed_slabs(grid, slabs)


def read_scan_header(path: Path, stated: Stated = NOTHING_STATED) -> Header:
    """Return what a scan's header says; its grid has the axes of the file, left-handed ones too.

    Raises
    ------
    InputError
        As ``read_volume``, as far as the header tells.
    """
    with _readable(path) as its_format:
        header = its_format.header(path, stated)
    check_plausible(path, header.grid)
    if not is_left_handed(header.grid):
        return header
    said = "Its axes are left-handed; they are made right-handed on reading."
    return replace(header, remarks=(*header.remarks, said))


def declared_padding(path: Path) -> tuple[Range, ...]:
    """Return the values that a scan's file declares as not measured, in the unit of its voxels.

    Of each range the lowest and the highest; nothing where it declares none, which most formats
    cannot.

    Raises
    ------
    InputError
        If the scan cannot be read.
    """
    with _readable(path) as its_format:
        return its_format.padding(path)


def input_files(path: Path) -> list[Path]:
    """List the files that make up a volume, sorted: one file, a header with its data, or slices.

    For checksums and for Snakemake's ``input``. A path that does not exist is returned as it
    is, so that Snakemake can name it as missing.

    Raises
    ------
    InputError
        If the path is of an unknown format, or may not be read.
    """
    if not path.exists():
        return [path]
    with _readable(path) as its_format:
        return its_format.files(path)


@contextmanager
def _readable(path: Path) -> Iterator[Format]:
    """Give the format of a scan; say in words what the system does not let one read."""
    try:
        its_format = format_of(path)
        for file in (path,) if path.is_file() else its_format.files(path):
            if file.exists() and not os.access(file, os.R_OK):
                raise PermissionError(None, "Permission denied", str(file))
        yield its_format
    except PermissionError as error:
        raise InputError(
            f"{path}: {error.filename or path} may not be read (permission denied); ask its owner "
            "for the right to read."
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}).") from error
