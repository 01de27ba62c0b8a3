"""The formats of scans: the registry, and what is asked of a scan of any format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Format
from otosynth.volumes.formats.dicom import Dicom
from otosynth.volumes.formats.metaimage import MetaImage
from otosynth.volumes.formats.nifti import Nifti
from otosynth.volumes.formats.nrrd import Nrrd
from otosynth.volumes.formats.stated import NOTHING_STATED, Stated
from otosynth.volumes.formats.tiff_pages import TiffPages
from otosynth.volumes.formats.tiff_slices import TiffSlices

__all__ = [
    "FORMATS", "NOTHING_STATED", "Format", "Source", "Stated", "format_of", "source_of", "write_as",
]  # fmt: skip

# The first that matches reads a scan; a folder that holds no TIFF is taken for DICOM.
FORMATS: tuple[Format, ...] = (
    Nifti(), Nrrd(), MetaImage(), TiffPages(), TiffSlices(), Dicom(),
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """The scan that a volume was derived from: its format's name and, of DICOM, its tags."""

    format: str
    tags: Mapping[str, str]


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


def source_of(path: Path) -> Source:
    """Return the format of a scan, and what a volume derived from it takes over.

    Parameters
    ----------
    path
        The scan's file or folder.
    """
    its_format = format_of(path)
    return Source(its_format.name, its_format.tags(path))


def write_as(image: sitk.Image, stem: Path, source: Source, description: str) -> Path:
    """Write a volume in the format of its source.

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
    try:
        return its_format.write(image, stem, source.tags, description)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"{stem}: could not be written as {source.format} ({reason}). Free disk space or "
            "choose another folder, then run again."
        ) from error
