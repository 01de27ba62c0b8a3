"""Memory mapping of working volumes, so that voxels are read from disk only where needed."""

import math
import mmap
import tempfile
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from otosynth.errors import InputError

# What nibabel raises on a file that is damaged, truncated or no NIfTI at all.
NIBABEL_ERRORS = (
    OSError,
    ValueError,
    nibabel.filebasedimages.ImageFileError,
    nibabel.spatialimages.HeaderDataError,
    nibabel.wrapstruct.WrapStructError,
)

# Modes of numpy's memory maps whose changes go to the file.
WRITTEN_THROUGH = ("r+", "w+")
# Volumes larger than this need not be in memory: 1 GiB.
LARGE_BYTES = 2**30


def map_voxels(path: Path) -> np.ndarray:
    """Map the voxels of an uncompressed NIfTI file read-only, as an array z, y, x.

    The array is C-contiguous and keeps the file's data type; nothing is read until it is used.

    Raises
    ------
    InputError
        If the file is missing, compressed, not NIfTI, truncated, or stores scaled intensities.
    """
    if path.suffix != ".nii":
        raise InputError(
            f"{path}: only uncompressed NIfTI (.nii) can be memory mapped; "
            "convert it with otosynth's write_volume or gunzip."
        )
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    try:
        image = nibabel.nifti1.Nifti1Image.from_filename(path, mmap="r")
        proxy = cast(ArrayProxy, image.dataobj)
        if not (proxy.slope == 1 and proxy.inter == 0):
            raise InputError(
                f"{path}: stores intensities scaled by {proxy.slope:g} and shifted by "
                f"{proxy.inter:g}, which cannot be mapped; rewrite it with write_volume."
            )
        return proxy.get_unscaled().T
    except NIBABEL_ERRORS as error:
        raise InputError(f"{path}: cannot be read as NIfTI ({error}).") from error


def new_volume(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """Return a new float32 array; a large one is mapped to a file without a name in ``folder``.

    Such an array needs no memory where it was let go of, and its file goes when it does.
    """
    if 4 * math.prod(shape) <= LARGE_BYTES:
        return np.empty(shape, np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def read_ahead(array: np.ndarray) -> None:
    """Have the system read this part of a mapped volume meanwhile; of any other array nothing."""
    _advise(array, mmap.MADV_WILLNEED)


def let_go(array: np.ndarray) -> None:
    """Give back the memory of this part of a mapped volume; any other array stays as it is.

    Pages of a mapped file that were read count as the process's memory until then. They stay in
    the system's cache as long as nothing else needs it, and come back when they are used again.
    """
    _advise(array, mmap.MADV_DONTNEED)


def _advise(array: np.ndarray, advice: int) -> None:
    """Tell the system what will become of the pages that a mapped array lies in."""
    mapped: object = array
    mode = None
    while isinstance(mapped, np.ndarray):
        mode = getattr(mapped, "mode", mode)
        mapped = mapped.base
    if not isinstance(mapped, mmap.mmap) or not array.size:
        return
    # What was changed in memory alone would be lost.
    if array.flags.writeable and mode not in WRITTEN_THROUGH:
        return
    first, end = np.lib.array_utils.byte_bounds(array)
    origin = np.frombuffer(mapped, np.uint8).ctypes.data
    start = (first - origin) // mmap.PAGESIZE * mmap.PAGESIZE
    mapped.madvise(advice, start, end - origin - start)


def voxel_mm(path: Path) -> float:
    """Return the smallest edge of a NIfTI file's voxels (mm).

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        return float(min(nibabel.nifti1.Nifti1Image.from_filename(path).header.get_zooms()))
    except (*NIBABEL_ERRORS, FileNotFoundError) as error:
        raise InputError(f"{path}: cannot be read as NIfTI ({error}).") from error
