"""Writing volumes as NIfTI: same voxels, same bytes; whole or not at all."""

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import written_whole

# Published volumes are compressed; higher levels cost much time for a few per cent of size.
GZIP_LEVEL = 6
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_volume(image: sitk.Image, path: Path) -> None:
    """Write a 3D image as ``.nii`` (uncompressed, mappable) or ``.nii.gz`` (published).

    The data type and the geometry (spacing, origin, direction in mm) are kept; the header has
    no timestamp, so the same image gives the same bytes. The file is written beside its final
    place and renamed, so a half-written file never has the final name. Folders are made.

    Raises
    ------
    InputError
        If the name has another ending, or the file cannot be written (disk full, no right to
        write); nothing is left behind.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"{path}: volumes are written as .nii or .nii.gz only.")
    try:
        with written_whole(path) as beside, beside.open("wb") as stream:
            _write_nifti(image, stream, compressed=path.name.endswith(".gz"))
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}). Free disk space or "
            "choose another results folder, then run again; no partial file was left."
        ) from error


def _write_nifti(image: sitk.Image, stream: io.BufferedWriter, *, compressed: bool) -> None:
    """Stream the header and the voxels; ITK's own writer does not notice a full disk."""
    # NIfTI counts x fastest, which is the transpose of the z, y, x array without a copy.
    nifti = nibabel.nifti1.Nifti1Image(sitk.GetArrayViewFromImage(image).T, _affine_ras(image))
    nifti.header.set_xyzt_units("mm")
    nifti.set_qform(nifti.affine, code="scanner")
    nifti.set_sform(nifti.affine, code="scanner")
    if compressed:
        with gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=stream, mtime=0) as packed:
            nifti.to_stream(packed)
    else:
        nifti.to_stream(stream)


def _affine_ras(image: sitk.Image) -> np.ndarray:
    """Voxel index to RAS mm, 4 x 4, as NIfTI wants it (ITK's points are LPS)."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine
