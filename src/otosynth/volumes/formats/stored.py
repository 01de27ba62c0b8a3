"""Voxels as a file stores them, from a place in it on: its bytes counted before they are read."""

import bz2
import gzip
import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from otosynth.errors import InputError

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress, "zlib": zlib.decompress, "bzip2": bz2.decompress,
}  # fmt: skip
# What the libraries of compression raise on what is damaged or ends too early.
PACKING_ERRORS = (OSError, EOFError, ValueError, zlib.error)


def mapped_voxels(
    path: Path, offset: int, data_type: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    """Map voxels (z, y, x) that fill a file from a place on.

    Raises
    ------
    InputError
        If the file is shorter or longer.
    """
    check_bytes(path, path.stat().st_size, offset + math.prod(shape) * data_type.itemsize)
    return np.memmap(path, data_type, "r", offset, shape)


def unpacked_voxels(
    path: Path, packed: bytes, packing: str, data_type: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    """Unpack compressed voxels (z, y, x); ``packing`` is a key of ``UNPACK``.

    Raises
    ------
    InputError
        If they are damaged, or fewer or more than ``shape`` has.
    """
    try:
        content = UNPACK[packing](packed)
    except PACKING_ERRORS as error:
        raise InputError(
            f"{path}: its compressed voxels are {what_is_wrong(error)}; copy it again."
        ) from error
    check_bytes(path, len(content), math.prod(shape) * data_type.itemsize)
    return np.frombuffer(content, data_type).reshape(shape)


def what_is_wrong(error: Exception) -> str:
    """Return what the error of a library of compression means: it ended early, or no sum holds."""
    ends_early = isinstance(error, EOFError) or re.search("truncated|ended before", str(error))
    return "truncated or damaged" if ends_early else "damaged"


def voxels_of_text(path: Path, text: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Read voxels (z, y, x) that are written as decimal numbers."""
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise InputError(
            f"{path}: should hold its voxels as decimal numbers, and does not ({error}); export "
            "it again."
        ) from error
    if values.size != math.prod(shape):
        raise InputError(
            f"{path}: holds {values.size} voxels where its header announces {math.prod(shape)}; "
            "copy or export it again."
        )
    return values.reshape(shape)


def check_bytes(path: Path, found: int, announced: int) -> None:
    """Refuse a file that is shorter or longer than its header says."""
    if found < announced:
        raise InputError(
            f"{path}: is truncated: {found} bytes where its header announces {announced}; "
            "copy it again."
        )
    if found > announced:
        raise InputError(
            f"{path}: holds {found} bytes where its header announces {announced}, so the header "
            "is of another volume; export it again."
        )


def as_float32(path: Path, voxels: np.ndarray) -> np.ndarray:
    """Return voxels as float32; refuse what is NaN, infinite or beyond its range."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = voxels.astype(np.float32)
    refuse_not_finite(path, int(values.size - np.count_nonzero(np.isfinite(values))))
    return values


def refuse_not_finite(path: Path, bad: int) -> None:
    """Refuse a volume with so many voxels that are no finite numbers."""
    if bad:
        raise InputError(
            f"{path}: {bad} voxels are NaN or infinite; export the volume again, or replace them "
            "with the value of air."
        )
