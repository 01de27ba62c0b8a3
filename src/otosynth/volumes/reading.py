"""Reading volumes of every known format, geometry from the file."""

from pathlib import Path

import SimpleITK as sitk

from otosynth.volumes.formats import NOTHING_STATED, Stated, format_of
from otosynth.volumes.formats.base import Slabs


def read_volume(path: Path, stated: Stated = NOTHING_STATED) -> sitk.Image:
    """Read a scan as a 3D float32 image with the spacing, origin and direction of its file.

    Known are the formats of :mod:`otosynth.volumes.formats`. Points are in mm, LPS.

    Parameters
    ----------
    path
        The scan's file or folder.
    stated
        What the lab states where the file does not.

    Raises
    ------
    InputError
        If the path is missing, of an unknown format, unreadable or truncated, no 3D scalar
        volume, or has a zero, negative or non-uniform spacing.
    """
    return format_of(path).read(path, stated)


def read_slabs(path: Path, stated: Stated = NOTHING_STATED) -> Slabs:
    """Read a scan slab by slab: its grid, and float32 arrays (rows, y, x) along z.

    A NIfTI file without scaled intensities and a folder of TIFF slices are never held as a whole;
    other formats are.

    Raises
    ------
    InputError
        As ``read_volume``; of a slab that cannot be read, when it is its turn.
    """
    return format_of(path).read_slabs(path, stated)


def input_files(path: Path) -> list[Path]:
    """List the files that make up a volume, sorted: one file, a header with its data, or slices.

    For checksums and for Snakemake's ``input``. A path that does not exist is returned as it
    is, so that Snakemake can name it as missing.
    """
    return format_of(path).files(path) if path.exists() else [path]
