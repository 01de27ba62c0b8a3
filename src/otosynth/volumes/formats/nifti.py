"""NIfTI: ITK reads it, after checks of what it would silently repair.

ITK fills a truncated NIfTI with zeros, reads its NaN as 0, takes 1 mm where no voxel size is
stated, and drops the sign of a negative one; each of these would give a wrong volume without a
word.
"""

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel.arrayproxy import ArrayProxy
from nibabel.nifti1 import Nifti1Header

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Format, Slabs, Stated
from otosynth.volumes.formats.rules import check_spacing
from otosynth.volumes.itk_io import read_grid, read_image
from otosynth.volumes.mapping import let_go, map_voxels
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.writing import write_volume

ENDINGS = (".nii", ".nii.gz")
HEADER_BYTES = 348
CHUNK_BYTES = 1 << 24


class Nifti(Format):
    """NIfTI-1 in one file."""

    name = "nifti"
    description = "NIfTI (.nii, .nii.gz)"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and path.name.lower().endswith(ENDINGS)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        _check_nifti(path)
        _check_nifti_is_finite(path)
        return read_image(path)

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, from a memory map where the voxels are stored as they are."""
        if not _is_mappable(path):
            return super().read_slabs(path, stated)
        _check_nifti_is_finite(path)
        grid = read_grid(path)
        return grid, _mapped_slabs(path, grid.shape)

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write one compressed file."""
        path = stem.with_name(f"{stem.name}.nii.gz")
        write_volume(image, path)
        return path


def _mapped_slabs(path: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    voxels = map_voxels(path)
    for rows in slabs_of(shape):
        yield voxels[rows].astype(np.float32, copy=False)
        let_go(voxels[rows])


def _is_mappable(path: Path) -> bool:
    """Tell whether a file is an uncompressed 3D NIfTI whose voxels are stored as they are."""
    if not path.name.endswith(".nii"):
        return False
    _check_nifti(path)
    image = nibabel.nifti1.Nifti1Image.from_filename(path)
    proxy = cast(ArrayProxy, image.dataobj)
    return len(proxy.shape) == 3 and proxy.slope == 1 and proxy.inter == 0


def _check_nifti(path: Path) -> None:
    """Refuse a truncated file, an impossible voxel size and an unknown orientation."""
    block, size_bytes = _first_bytes_and_size(path)
    if len(block) < HEADER_BYTES or not Nifti1Header.may_contain_header(block):
        raise InputError(f"{path}: is no NIfTI-1 file, or is truncated; export it again.")
    header = Nifti1Header(block, check=False)
    try:
        voxel_bytes = header.get_data_dtype().itemsize
    except nibabel.spatialimages.HeaderDataError as error:
        raise InputError(f"{path}: its header is damaged ({error}).") from error
    expected_bytes = int(header["vox_offset"]) + math.prod(header.get_data_shape()) * voxel_bytes
    if size_bytes < expected_bytes:
        raise InputError(
            f"{path}: is truncated: {size_bytes} bytes where its header announces "
            f"{expected_bytes}; copy it again."
        )
    check_spacing(path, [float(size) for size in header["pixdim"][1:4]])
    if header["qform_code"] == 0 and header["sform_code"] == 0:
        raise InputError(
            f"{path}: states no orientation (qform and sform code are 0), so left and right "
            "cannot be told; export it again from the program that knows it."
        )


def _check_nifti_is_finite(path: Path) -> None:
    """Refuse NaN and infinite voxels, slice by slice, so that no second volume is held."""
    # Kept open: opened again for every slice, a .nii.gz is unpacked from its start each time.
    image = nibabel.nifti1.Nifti1Image.from_filename(path, keep_file_open=True)
    voxels = cast(ArrayProxy, image.dataobj)
    if not np.issubdtype(voxels.dtype, np.floating):
        return
    bad = sum(
        int(np.count_nonzero(~np.isfinite(voxels[..., index]))) for index in range(voxels.shape[-1])
    )
    if bad:
        raise InputError(
            f"{path}: {bad} voxels are NaN or infinite; export the volume again, or replace them "
            "with the value of air."
        )


def _first_bytes_and_size(path: Path) -> tuple[bytes, int]:
    """Return the bytes of a NIfTI header and the file's size in bytes, uncompressed.

    A compressed file is read to its end, since only that shows whether it is whole.
    """
    if path.suffix.lower() != ".gz":
        with path.open("rb") as stream:
            return stream.read(HEADER_BYTES), path.stat().st_size
    try:
        with gzip.open(path) as packed:
            block = packed.read(HEADER_BYTES)
            size_bytes = len(block)
            while chunk := packed.read(CHUNK_BYTES):
                size_bytes += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: the compressed file is truncated or damaged ({error}); copy it again."
        ) from error
    return block, size_bytes
