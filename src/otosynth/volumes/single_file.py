"""NIfTI, NRRD and MetaImage: ITK reads them, after checks of what it would silently repair.

ITK fills a truncated NIfTI with zeros, reads its NaN as 0, takes 1 mm where no voxel size is
stated, and drops the sign of a negative one; each of these would give a wrong volume without a
word.
"""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel.arrayproxy import ArrayProxy
from nibabel.nifti1 import Nifti1Header

from otosynth.errors import InputError
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import read_grid, read_image
from otosynth.volumes.mapping import let_go, map_voxels
from otosynth.volumes.slabs import slabs_of

NIFTI = (".nii", ".nii.gz")
NRRD = (".nrrd", ".nhdr")
META = (".mha", ".mhd")
# Header keys of MetaImage and NRRD that name the file with the voxels.
DATA_FILE_KEYS = ("elementdatafile", "data file", "datafile")
NIFTI_HEADER_BYTES = 348
MAX_HEADER_LINES = 10_000
CHUNK_BYTES = 1 << 24


def is_known(path: Path) -> bool:
    """Tell by its ending whether a file is NIfTI, NRRD or MetaImage."""
    return path.name.lower().endswith((*NIFTI, *NRRD, *META))


def read(path: Path) -> sitk.Image:
    """Read a NIfTI, NRRD or MetaImage volume as float32.

    Raises
    ------
    InputError
        If the file or its data file is missing, truncated or damaged, is no 3D scalar volume,
        states a zero, negative or no voxel size, or a NIfTI states no orientation.
    """
    if path.name.lower().endswith(NIFTI):
        _check_nifti(path)
        _check_nifti_is_finite(path)
    elif path.suffix.lower() in NRRD:
        _check_spacing(path, _nrrd_spacing(path))
    else:
        _check_spacing(path, _meta_spacing(path))
    for data_file in data_files(path):
        if not data_file.is_file():
            raise InputError(f"{path}: its voxels are in {data_file}, which is missing.")
    return read_image(path)


def is_mappable(path: Path) -> bool:
    """Tell whether a file is an uncompressed 3D NIfTI whose voxels are stored as they are."""
    if not path.name.endswith(".nii"):
        return False
    _check_nifti(path)
    image = nibabel.nifti1.Nifti1Image.from_filename(path)
    proxy = cast(ArrayProxy, image.dataobj)
    return len(proxy.shape) == 3 and proxy.slope == 1 and proxy.inter == 0


def slabs_of_nifti(path: Path) -> tuple[Grid, Iterator[np.ndarray]]:
    """Return the grid of a mappable NIfTI file, and its voxels slab by slab; see `read_slabs`.

    Raises
    ------
    InputError
        As ``read``.
    """
    _check_nifti(path)
    _check_nifti_is_finite(path)
    grid = read_grid(path)

    def slabs() -> Iterator[np.ndarray]:
        voxels = map_voxels(path)
        for rows in slabs_of(grid.shape):
            yield voxels[rows].astype(np.float32, copy=False)
            let_go(voxels[rows])

    return grid, slabs()


def data_files(path: Path) -> list[Path]:
    """List the files beside an NRRD or MetaImage header that hold its voxels; else none."""
    if path.suffix.lower() not in (*NRRD, *META):
        return []
    header = _text_header(path)
    names = [header[key] for key in DATA_FILE_KEYS if key in header]
    if not names or names[0].upper() == "LOCAL":
        return []
    if names[0].upper().startswith("LIST") or "%" in names[0]:
        raise InputError(
            f"{path}: keeps its voxels in several files; save it as one file "
            "(.nrrd, .mha or .nii.gz)."
        )
    return [path.parent / names[0]]


def _check_nifti(path: Path) -> None:
    """Refuse a truncated file, an impossible voxel size and an unknown orientation."""
    block, size_bytes = _first_bytes_and_size(path)
    if len(block) < NIFTI_HEADER_BYTES or not Nifti1Header.may_contain_header(block):
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
    _check_spacing(path, [float(size) for size in header["pixdim"][1:4]])
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
            return stream.read(NIFTI_HEADER_BYTES), path.stat().st_size
    try:
        with gzip.open(path) as packed:
            block = packed.read(NIFTI_HEADER_BYTES)
            size_bytes = len(block)
            while chunk := packed.read(CHUNK_BYTES):
                size_bytes += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: the compressed file is truncated or damaged ({error}); copy it again."
        ) from error
    return block, size_bytes


def _nrrd_spacing(path: Path) -> list[float]:
    """Voxel size in mm that an NRRD header states, by axis; the sign is kept."""
    header = _text_header(path)
    if "space directions" in header:
        vectors = header["space directions"].replace("(", " ").replace(")", " ").split()
        # A fourth axis counts the values per voxel and has no direction.
        axes = [v.split(",") for v in vectors if v != "none" or len(vectors) == 3]
        return [math.hypot(*_numbers(axis)) for axis in axes]
    return _numbers(header.get("spacings", "").split())


def _meta_spacing(path: Path) -> list[float]:
    """Voxel size in mm that a MetaImage header states, by axis; the sign is kept."""
    header = _text_header(path)
    return _numbers(header.get("elementspacing", header.get("elementsize", "")).split())


def _numbers(words: list[str]) -> list[float]:
    """Read numbers; NaN where a word is none."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return [math.nan] * len(words)


def _check_spacing(path: Path, spacing_mm: list[float]) -> None:
    """Refuse a missing, zero, negative or undefined voxel size."""
    if not spacing_mm:
        raise InputError(
            f"{path}: states no voxel size, or is not what its ending says; export it again "
            "with its spacing in mm."
        )
    if not all(0 < size < math.inf for size in spacing_mm):
        raise InputError(
            f"{path}: states a voxel size of {' x '.join(f'{s:g}' for s in spacing_mm)} mm; "
            "every size must be above 0. Export it again with its true spacing."
        )


def _text_header(path: Path) -> dict[str, str]:
    """Read the keys (lower case) of an NRRD or MetaImage header, which end before the voxels."""
    header: dict[str, str] = {}
    with path.open("rb") as stream:
        for _, line in zip(range(MAX_HEADER_LINES), stream, strict=False):
            text = line.decode("latin-1").strip()
            # An empty line ends an NRRD header; this key is the last of a MetaImage header.
            if not text or "elementdatafile" in header:
                break
            separator = "=" if path.suffix.lower() in META else ":"
            key, _, value = text.partition(separator)
            header[key.strip().lower()] = value.strip()
    return header
