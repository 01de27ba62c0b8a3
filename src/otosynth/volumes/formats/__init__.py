"""The formats of scans: every module here that has a subclass of `Format` adds it.

The dispatch happens here alone; docs/adding-a-format.md adds a format.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import isabstract
from pathlib import Path

import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Format
from otosynth.volumes.formats.rules import is_left_handed, other_handed_image
from otosynth.volumes.stated import NOTHING_STATED, Stated

__all__ = [
    "FORMATS", "NOTHING_STATED", "Format", "Source", "Stated", "format_of", "source_of", "write_as",
]  # fmt: skip


def _formats() -> Iterator[Format]:
    """Make one object of each class of a format, in the order of the modules."""
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if not isinstance(value, type) or value.__module__ != f"{__name__}.{module.name}":
                continue
            if issubclass(value, Format) and not isabstract(value):
                yield value()


# The first that matches reads a scan; a folder that no other knows is taken for DICOM.
FORMATS = tuple(sorted(_formats(), key=lambda each: each.last_resort))


@dataclass(frozen=True)
class Source:
    """The scan that a volume was derived from.

    Attributes
    ----------
    format
        Its format's name.
    tags
        What a derived volume takes over; of DICOM, whose it is.
    left_handed
        Whether its axes are left-handed in the file; those of what is derived will be, too.
    """

    format: str
    tags: Mapping[str, str]
    left_handed: bool = False


def format_of(path: Path) -> Format:
    """Return the format of a scan.

    Raises
    ------
    InputError
        If the path is missing or of an unknown format.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the specimen table.")
    for each in FORMATS:
        if each.matches(path):
            return each
    known = "; ".join(each.description for each in FORMATS)
    raise InputError(f"{path}: unknown format. Known are {known}.")


def source_of(path: Path, stated: Stated = NOTHING_STATED) -> Source:
    """Return the format of a scan, and what a volume derived from it takes over.

    Parameters
    ----------
    path
        The scan's file or folder.
    stated
        What the lab states of it.

    Raises
    ------
    InputError
        If its header cannot be read.
    """
    its_format = format_of(path)
    left_handed = is_left_handed(its_format.header(path, stated).grid)
    return Source(its_format.name, its_format.tags(path), left_handed)


def write_as(image: sitk.Image, stem: Path, source: Source, description: str) -> Path:
    """Write a volume in the format of its source, and on axes as handed as there.

    Parameters
    ----------
    image
        A 3D image of intensities or classes.
    stem
        The path without its ending: ``.nii.gz``, ``.nrrd`` or ``.mha`` is added, or ``-tiff`` or
        ``-dicom`` for a folder of slices, which is made anew.
    description
        Of the series, for DICOM (at most 64 characters).

    Returns
    -------
    Path
        The file or folder.

    Raises
    ------
    InputError
        If it could not be written.
    """
    (its_format,) = (each for each in FORMATS if each.name == source.format)
    if source.left_handed:
        image = other_handed_image(image)
    try:
        return its_format.write(image, stem, source.tags, description)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"{stem}: could not be written as {source.format} ({reason}). Free disk space or "
            "choose another folder, then run again."
        ) from error
