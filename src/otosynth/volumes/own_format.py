"""Writing a volume in the format that a scan came in: NRRD, MetaImage, TIFF slices, DICOM.

NIfTI has :mod:`otosynth.volumes.writing`. The geometry is kept in every format, and what is
written here can be read by :func:`otosynth.volumes.reading.read_volume`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole, write_bytes, written_whole
from otosynth.volumes import dicom, single_file, tiff
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import read_header
from otosynth.volumes.writing import write_volume

Format = Literal["nifti", "nrrd", "metaimage", "tiff", "dicom"]

# Slices are in a folder.
ENDINGS: dict[Format, str] = {
    "nifti": ".nii.gz",
    "nrrd": ".nrrd",
    "metaimage": ".mha",
    "tiff": "-tiff",
    "dicom": "-dicom",
}
# Of the scan's own series: whose it is, and in which study and frame it lies.
COPIED_TAGS = (
    "0008|0020",  # study date
    "0008|0030",  # study time
    "0008|0050",  # accession number
    "0008|0090",  # referring physician
    "0010|0010",  # patient's name
    "0010|0020",  # patient's identifier
    "0010|0030",  # birth date
    "0010|0040",  # sex
    "0020|000d",  # study instance UID
    "0020|0010",  # study identifier
    "0020|0052",  # frame of reference UID
)
DERIVATION = "0008|2111"
PREDICTED = "Predicted by a neural network (otosynth); not measured, not for diagnosis"
# 16 signed bits hold an intensity; the rescale slope gives it back. One level is left for rounding.
LARGEST_LEVEL = 2**15 - 2
# Bits allocated, bits stored, high bit, and signed.
SIGNED_16_BITS = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1"}


@dataclass(frozen=True)
class Source:
    """The scan that a volume was derived from: its format and, of a DICOM series, its tags.

    ``DERIVATION`` among the tags says how, where it was not ``PREDICTED``.
    """

    format: Format
    tags: Mapping[str, str]


def source_of(path: Path) -> Source:
    """Return the format of a scan that ``read_volume`` has read.

    Parameters
    ----------
    path
        The scan's file or folder.
    """
    name = path.name.lower()
    if path.is_dir():
        if tiff.slices_in(path):
            return Source("tiff", {})
        return Source("dicom", _tags_of(dicom.slices_in(path)[0]))
    if tiff.is_tiff(path):
        return Source("tiff", {})
    if name.endswith(single_file.NRRD):
        return Source("nrrd", {})
    if name.endswith(single_file.META):
        return Source("metaimage", {})
    return Source("nifti", {})


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
    try:
        path = stem.with_name(stem.name + ENDINGS[source.format])
        if source.format == "tiff":
            with folder_written_whole(path) as folder:
                _fill_tiff(image, folder)
        elif source.format == "dicom":
            with folder_written_whole(path) as folder:
                _fill_dicom(image, folder, source.tags, description)
        elif source.format == "nifti":
            write_volume(image, path)
        else:
            with written_whole(path) as beside:
                sitk.WriteImage(image, str(beside), useCompression=True)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"{stem}: could not be written as {source.format} ({reason}). Free disk space or "
            "choose another folder, then run again."
        ) from error
    return path


def _fill_tiff(image: sitk.Image, folder: Path) -> None:
    """Write slices 0000.tif, 0001.tif, ... and ``spacing.json``."""
    for z in range(image.GetDepth()):
        sitk.WriteImage(image[:, :, z], str(folder / f"{z:04}.tif"), useCompression=True)
    geometry = {
        "spacing_mm": image.GetSpacing(),
        "origin_mm": image.GetOrigin(),
        "direction": image.GetDirection(),
    }
    write_bytes(folder / tiff.SIDECAR, (json.dumps(geometry) + "\n").encode())


def _tags_of(path: Path) -> dict[str, str]:
    """Return what a derived series takes over from a slice of its source."""
    header = read_header(path, dicom.DICOM_IO)
    tags = {tag: header.GetMetaData(tag) for tag in COPIED_TAGS if header.HasMetaDataKey(tag)}
    # ITK gives the bytes of another character set as surrogates, which it cannot write again.
    return {tag: text.encode("ascii", "replace").decode() for tag, text in tags.items()}


def _fill_dicom(image: sitk.Image, folder: Path, tags: Mapping[str, str], description: str) -> None:
    """Write a derived CT series: secondary, described as synthetic, UIDs from its own bytes."""
    slope = _slope_of(image)
    # ITK divides by the slope only what is float64.
    stored = sitk.Cast(image, sitk.sitkInt16 if slope == 1.0 else sitk.sitkFloat64)
    digest = _digest_of(stored, tags, description)
    axes = np.reshape(image.GetDirection(), (3, 3))
    of_all = {DERIVATION: PREDICTED, **tags} | {
        "0008|0008": "DERIVED\\SECONDARY\\AXIAL",
        "0008|0060": "CT",
        "0008|103e": description[:64],
        "0018|0050": f"{image.GetSpacing()[2]:.6f}",
        "0020|000e": _uid(digest, "series"),
        "0020|0011": "9000",
        "0020|0037": "\\".join(f"{v:.10f}" for v in (*axes[:, 0], *axes[:, 1])),
        "0028|1052": "0",
        "0028|1053": f"{slope:.9g}",
    }
    of_all |= SIGNED_16_BITS
    # Else GDCM writes the time of now, and the bytes differ each time.
    for time in ("0008|0020", "0008|0030"):
        of_all.setdefault(time, "")
    of_all.setdefault("0020|000d", _uid(digest, "study"))
    of_all.setdefault("0020|0052", _uid(digest, "frame"))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(stored.GetDepth()):
        one = stored[:, :, z : z + 1]
        position = image.TransformIndexToPhysicalPoint((0, 0, z))
        of_slice = {
            "0008|0018": _uid(digest, f"slice {z}"),
            "0020|0013": str(z + 1),
            "0020|0032": "\\".join(f"{v:.8g}" for v in position),
        }
        for tag, text in (of_all | of_slice).items():
            one.SetMetaData(tag, text)
        writer.SetFileName(str(folder / f"{z:04}.dcm"))
        writer.Execute(one)


def _digest_of(image: sitk.Image, tags: Mapping[str, str], description: str) -> str:
    """Return what a series' UIDs are made of: all that it shows, where, and of whom.

    The place is part of it: the masks of both ears of a patient may hold the same voxels.
    """
    grid = Grid.of(image)
    said = json.dumps([description, sorted(tags.items()), vars(grid)])
    voxels = sitk.GetArrayViewFromImage(image).tobytes()
    return hashlib.sha256(said.encode() + voxels).hexdigest()


def _slope_of(image: sitk.Image) -> float:
    """Return the step in which 16 signed bits hold a volume's values; 1 for classes.

    GDCM takes no intercept that is not whole, so the steps are those of the largest value.
    """
    values = sitk.GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.integer):
        return 1.0
    largest = max(float(np.abs(values).max()), 1e-9)
    # As DICOM's text will say it, so that reading gives back the same values.
    return float(f"{largest / LARGEST_LEVEL:.9g}")


def _uid(digest: str, what: str) -> str:
    """Return a DICOM UID of the form 2.25.<UUID as a number>, a function of the arguments."""
    number = int(hashlib.sha256(f"{digest}/{what}".encode()).hexdigest()[:32], 16)
    return f"2.25.{number}"
