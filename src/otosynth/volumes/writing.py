"""Writing volumes as NIfTI: same voxels, same bytes; whole or not at all."""

import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import written_whole
from otosynth.volumes.grids import Grid

# Published volumes are compressed; higher levels cost much time for a few per cent of size.
GZIP_LEVEL = 6
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_volume(image: sitk.Image, path: Path) -> None:
    """Write a 3D image as ``.nii`` (uncompressed, mappable) or ``.nii.gz`` (published).

    See `write_slabs`, which this does with the image as one slab.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    write_slabs([voxels], Grid.of(image), voxels.dtype, path)


def write_slabs(
    slabs: Iterable[np.ndarray], grid: Grid, data_type: npt.DTypeLike, path: Path
) -> None:
    """Write a volume that comes slab by slab as ``.nii`` or ``.nii.gz``.

    The data type and the geometry (spacing, origin, direction in mm) are kept; the header has
    no timestamp, so the same volume gives the same bytes, however it is parted. The file is written
    beside its final place and renamed, so a half-written file never has the final name. Folders
    are made.

    Parameters
    ----------
    slabs
        Arrays (rows, y, x) that follow one another along z and fill the grid.

    Raises
    ------
    InputError
        If the name has another ending, or the file cannot be written (disk full, no right to
        write); nothing is left behind. Errors of ``slabs`` go through, with nothing left either.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        raise InputError(f"{path}: volumes are written as .nii or .nii.gz only.")
    try:
        with written_whole(path) as beside, beside.open("wb") as stream:
            if path.name.endswith(".gz"):
                with gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=stream, mtime=0) as packed:
                    _write_nifti(slabs, grid, np.dtype(data_type), packed)
            else:
                _write_nifti(slabs, grid, np.dtype(data_type), stream)
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}). Free disk space or "
            "choose another results folder, then run again; no partial file was left."
        ) from error


def _write_nifti(
    slabs: Iterable[np.ndarray],
    grid: Grid,
    data_type: np.dtype,
    stream: io.BufferedWriter | gzip.GzipFile,
) -> None:
    """Stream the header and the voxels; ITK's own writer does not notice a full disk."""
    stream.write(_header_bytes(grid, data_type))
    rows = 0
    for slab in slabs:
        if slab.shape[1:] != grid.shape[1:] or slab.dtype != data_type:
            raise ValueError(f"slab {slab.shape} {slab.dtype} on {grid.shape} {data_type}")
        rows += len(slab)
        # Row by row, since what is mirrored or cut out has to be copied for it.
        for plane in slab:
            stream.write(np.ascontiguousarray(plane).data)
    if rows != grid.shape[0]:
        raise ValueError(f"{rows} rows on a grid of {grid.shape[0]}")


def _header_bytes(grid: Grid, data_type: np.dtype) -> bytes:
    """Header of a NIfTI file up to its voxels: nibabel's for one voxel, with the true size."""
    nifti = nibabel.nifti1.Nifti1Image(np.zeros((1, 1, 1), data_type), _affine_ras(grid))
    nifti.header.set_xyzt_units("mm")
    nifti.set_qform(nifti.affine, code="scanner")
    nifti.set_sform(nifti.affine, code="scanner")
    written = io.BytesIO()
    nifti.to_stream(written)
    before = written.getvalue()[: -data_type.itemsize]
    header = nibabel.nifti1.Nifti1Header(before[: nibabel.nifti1.header_dtype.itemsize])
    header.set_data_shape(grid.size)
    return bytes(header.binaryblock) + before[nibabel.nifti1.header_dtype.itemsize :]


def _affine_ras(grid: Grid) -> np.ndarray:
    """Voxel index to RAS mm, 4 x 4, as NIfTI wants it (ITK's points are LPS)."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(grid.direction, (3, 3)) * grid.spacing_mm
    affine[:3, 3] = grid.origin_mm
    return LPS_TO_RAS @ affine
