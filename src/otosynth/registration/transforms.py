"""ITK transform files."""

from pathlib import Path

import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import disk_is_full, written_whole


def write_transform(transform: sitk.Transform, path: Path) -> None:
    """Write a transform as an ITK text file (.tfm), whole or not at all.

    Raises
    ------
    InputError
        If ITK cannot write it, mostly for want of disk space.
    """
    with written_whole(path) as beside:
        try:
            sitk.WriteTransform(transform, str(beside))
        except RuntimeError:
            raise disk_is_full(path) from None


def read_transform(path: Path) -> sitk.Transform:
    """Read an ITK transform file.

    Raises
    ------
    InputError
        If the file is missing or holds no transform.
    """
    try:
        return sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as an ITK transform ({error}).") from None
