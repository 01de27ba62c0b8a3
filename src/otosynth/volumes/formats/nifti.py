"""NIfTI, by its standard: what a header states twice is compared.

ITK fills a truncated file with zeros, reads NaN as 0, takes 1 mm where no voxel size is stated,
drops the sign of a negative one, shifts intensities that the standard says are not scaled, and
chooses among two geometries; each of these would give a wrong volume without a word.
"""

import gzip
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Format, Header, Slabs
from otosynth.volumes.formats.rules import (
    AGREEMENT_VOXELS,
    agree,
    check_spacing,
    grid_of,
    letters_of,
    mm_of,
    orientation_of,
    refuse_contradiction,
    sizes_text,
)
from otosynth.volumes.formats.stored import (
    PACKING_ERRORS,
    as_float32,
    check_bytes,
    mapped_voxels,
    refuse_not_finite,
    what_is_wrong,
)
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import read_header, refuse_other_than_3d_scalar
from otosynth.volumes.mapping import let_go
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Stated
from otosynth.volumes.writing import LPS_TO_RAS, write_volume

ENDINGS = (".nii", ".nii.gz")
PAIR_ENDINGS = (".hdr", ".img", ".hdr.gz", ".img.gz")
# Of a header of version 2, the longer one.
HEADER_BYTES = 540
GZIP_SIGNATURE = b"\x1f\x8b"
# Codes of the unit of lengths, and the bits that hold them.
UNITS_BITS = 7
UNITS = {0: "", 1: "m", 2: "mm", 3: "um"}
# Single precision: b, c and d of a rotation may be so much longer than 1.
QUATERNION_TOLERANCE = 1e-5
LEAST_REST = 1e-7
# Less is rounding.
TILT_DEGREES = 0.05
# Of corners, in single precision.
ROUNDING_MM = 1e-4
ALONG_COSINE = 0.99999


@dataclass(frozen=True)
class Stored:
    """How a file stores its voxels."""

    offset: int
    data_type: np.dtype
    shape: tuple[int, ...]
    slope: float
    intercept: float


class Nifti(Format):
    """NIfTI-1 or -2 in one file."""

    name = "nifti"
    description = "NIfTI (.nii, .nii.gz)"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and path.name.lower().endswith((*ENDINGS, *PAIR_ENDINGS))

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the header says; see `Format.header`."""
        return _geometry(path, _read_header(path), stated)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        header = _read_header(path)
        grid = _geometry(path, header, stated).grid
        stored = _stored(path, header)
        return grid.image(as_float32(path, _scaled(_voxels(path, stored), stored)))

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, from a memory map where it is not compressed."""
        if _is_compressed(path):
            return super().read_slabs(path, stated)
        header = _read_header(path)
        grid = _geometry(path, header, stated).grid
        stored = _stored(path, header)
        voxels = _voxels(path, stored)
        _check_finite(path, voxels, stored)
        return grid, _slabs(voxels, stored)

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write one compressed file."""
        path = stem.with_name(f"{stem.name}.nii.gz")
        write_volume(image, path)
        return path


def _slabs(voxels: np.ndarray, stored: Stored) -> Iterator[np.ndarray]:
    for rows in slabs_of(stored.shape):
        with np.errstate(over="ignore", invalid="ignore"):
            yield _scaled(voxels[rows], stored).astype(np.float32, copy=False)
        let_go(voxels[rows])


def _voxels(path: Path, stored: Stored) -> np.ndarray:
    """Return the voxels (z, y, x) as they are stored; mapped where they are not compressed."""
    if not _is_compressed(path):
        return mapped_voxels(path, stored.offset, stored.data_type, stored.shape)
    content = _unpacked(path)
    announced = stored.offset + math.prod(stored.shape) * stored.data_type.itemsize
    check_bytes(path, len(content), announced)
    return np.frombuffer(content, stored.data_type, offset=stored.offset).reshape(stored.shape)


def _scaled(voxels: np.ndarray, stored: Stored) -> np.ndarray:
    """Return intensities: the standard's slope and intercept, and neither where the slope is 0."""
    if stored.slope in (0, 1) and stored.intercept == 0:
        return voxels
    with np.errstate(over="ignore", invalid="ignore"):
        return voxels.astype(np.float64) * stored.slope + stored.intercept


def _check_finite(path: Path, voxels: np.ndarray, stored: Stored) -> None:
    """Refuse NaN and infinite voxels, so that no second volume is held."""
    if np.issubdtype(stored.data_type, np.floating) or stored.slope != 1:
        slabs = _slabs(voxels, stored)
        refuse_not_finite(path, sum(int(np.count_nonzero(~np.isfinite(slab))) for slab in slabs))


def _is_compressed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _unpacked(path: Path, size: int = -1) -> bytes:
    try:
        with gzip.open(path) as packed:
            return packed.read(size)
    except PermissionError:
        raise
    except PACKING_ERRORS as error:
        raise InputError(
            f"{path}: the compressed file is {what_is_wrong(error)}; copy it again."
        ) from error


def _read_header(path: Path) -> Nifti1Header:
    """Read a header of either version and either byte order."""
    if path.name.lower().endswith(PAIR_ENDINGS):
        raise InputError(
            f"{path}: is one of a pair of header and image (.hdr and .img; Analyze or NIfTI), "
            "which is not supported; save it as one NIfTI file (.nii.gz)."
        )
    if _is_compressed(path):
        block = _unpacked(path, HEADER_BYTES)
    else:
        with path.open("rb") as stream:
            block = stream.read(HEADER_BYTES)
    if block.startswith(GZIP_SIGNATURE):
        raise InputError(f"{path}: is compressed by gzip; give it the ending .nii.gz.")
    for kind, end in ((Nifti1Header, 348), (Nifti2Header, HEADER_BYTES)):
        if len(block) >= end and kind.may_contain_header(block[:end]):
            return _checked(path, kind(block[:end], check=False))
    raise InputError(f"{path}: is no NIfTI file, or is truncated; export it again.")


def _checked(path: Path, header: Nifti1Header) -> Nifti1Header:
    """Refuse a header whose parts cannot be, or contradict one another."""
    problem = ""
    if not bytes(header["magic"]).startswith(b"n+"):
        problem = "it says that the voxels are in another file"
    elif not 1 <= int(header["dim"][0]) <= 7 or min(header["dim"][1 : header["dim"][0] + 1]) < 1:
        problem = f"it states the sizes {header['dim'].tolist()}"
    try:
        bits = 8 * header.get_data_dtype().itemsize
    except (nibabel.spatialimages.HeaderDataError, KeyError) as error:
        raise InputError(
            f"{path}: its header is damaged (the code of its data type, {header['datatype']}, is "
            "none of NIfTI); export it again."
        ) from error
    if bits != header["bitpix"]:
        problem = f"it states {header['bitpix']} bits a voxel and a data type of {bits}"
    if problem:
        raise InputError(
            f"{path}: its header is damaged or of another file ({problem}); export it again."
        )
    return header


def _stored(path: Path, header: Nifti1Header) -> Stored:
    """Return how the voxels are stored; refuse colour, complex numbers and undefined scaling."""
    data_type = header.get_data_dtype()
    if data_type.kind not in "iuf":
        components = len(data_type.names or (0, 0))
        refuse_other_than_3d_scalar(path, (), components)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    # The standard: a slope of 0 says that nothing is scaled. Programs write NaN for it as well.
    if slope == 0 or math.isnan(slope):
        slope, intercept = 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise InputError(
            f"{path}: its intensities are scaled by {slope:g} and shifted by {intercept:g}, which "
            "are no numbers to compute with; export it again."
        )
    offset = float(header["vox_offset"])
    least = header.single_vox_offset
    # nibabel and the reference library take 0 for the least that there can be.
    offset = offset or least
    if not (math.isfinite(offset) and offset >= least and offset == int(offset)):
        raise InputError(
            f"{path}: its header is damaged (its voxels begin at byte {offset:g}, where none can); "
            "export it again."
        )
    return Stored(int(offset), data_type, _size(header)[::-1], slope, intercept)


def _size(header: Nifti1Header) -> tuple[int, ...]:
    """Return the sizes; a series of one volume is that volume."""
    size = tuple(int(n) for n in header["dim"][1 : header["dim"][0] + 1])
    while len(size) > 3 and size[-1] == 1:
        size = size[:-1]
    return size


def _geometry(path: Path, header: Nifti1Header, stated: Stated) -> Header:
    """Return where the voxels lie: by sform, by qform with pixdim, or as the lab states it."""
    size = _size(header)
    refuse_other_than_3d_scalar(path, size, 1)
    code = int(header["xyzt_units"]) & UNITS_BITS
    if code not in UNITS:
        raise InputError(f"{path}: states lengths in an unknown unit (code {code}); use mm.")
    mm, units = mm_of(path, UNITS[code], stated)
    statements = _statements(path, header)
    if stated.believe != "sform" or "sform" not in statements:
        check_spacing(path, [mm * float(v) for v in header["pixdim"][1:4]])
    if not statements:
        axes = orientation_of(path, stated, "qform and sform code are 0")
        spacing_mm = [mm * float(v) for v in header["pixdim"][1:4]]
        said = f"The file states no orientation; {stated.orientation} is stated for it."
        return Header(grid_of(path, size, spacing_mm, (0, 0, 0), axes), units, (said,))
    affines = list(statements.values())
    if len(affines) > 1 and not _alike(affines[0], affines[-1], size):
        if "pixdim" in statements:
            # A sheared sform is called so; pixdim says nothing of directions.
            _grid_of_affine(path, size, mm, statements["sform"])
        words = {name: _words(affine, mm) for name, affine in statements.items()}
        if "pixdim" in words:
            words = {name: text.split(", ")[0] for name, text in words.items()}
        believed = refuse_contradiction(path, "geometry", words, stated)
        said = f"Of two statements of the geometry {believed} is believed ({words[believed]})."
        return Header(_grid_of_affine(path, size, mm, statements[believed]), units, (said,))
    # Its own geometry first, so that a wrong one is refused in true words before ITK sees it.
    grid = _grid_of_affine(path, size, mm, affines[0])
    if stated.unit == "header" or UNITS[code]:
        grid = _grid_of_itk(path, grid)
    absent, used = ("qform", "sform") if "pixdim" in statements else ("sform", "qform")
    said = f"Its {absent} code is 0; the {used} is used."
    return Header(grid, units, () if "pixdim" not in statements and len(affines) > 1 else (said,))


def _statements(path: Path, header: Nifti1Header) -> dict[str, np.ndarray]:
    """Return what a header states of the geometry, as matrices that take indices to RAS."""
    statements = {}
    if int(header["sform_code"]) > 0:
        statements["sform"] = sform = _sform(header)
    if int(header["qform_code"]) > 0:
        statements["qform"] = _qform(path, header)
    elif statements:
        # The pose of the sform, in the sizes of pixdim.
        sizes = np.linalg.norm(sform[:3, :3], axis=0)
        scale = np.array(header["pixdim"][1:4], dtype=float) / np.where(sizes > 0, sizes, 1)
        with np.errstate(invalid="ignore"):
            statements["pixdim"] = sform @ np.diag([*scale, 1.0])
    return statements


def _grid_of_itk(path: Path, grid: Grid) -> Grid:
    """Return the same grid with ITK's last digits, as all that was computed before has it.

    ITK takes the qform, whose quaternion loses half its digits where the turn is nearly half a
    circle; beyond rounding the sform holds.
    """
    try:
        theirs = Grid.of(read_header(path, "NiftiImageIO"))
    except InputError:
        # NIfTI-2, and what else ITK does not know.
        return grid
    if len(theirs.size) != len(grid.size):
        return grid
    return theirs if agree(theirs, grid, ROUNDING_MM) else grid


def _grid_of_affine(path: Path, size: tuple[int, ...], mm: float, affine: np.ndarray) -> Grid:
    """Return the grid (mm, LPS) of a matrix that takes indices to RAS in the file's unit."""
    if not np.isfinite(affine).all():
        raise InputError(
            f"{path}: the numbers of its sform or qform are not finite; export it again."
        )
    lps = LPS_TO_RAS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    check_spacing(path, (mm * spacing).tolist())
    return grid_of(path, size, (mm * spacing).tolist(), mm * lps[:3, 3], lps[:3, :3] / spacing)


def _sform(header: Nifti1Header) -> np.ndarray:
    rows = [np.array(header[f"srow_{axis}"], dtype=float) for axis in "xyz"]
    return np.vstack([*rows, [0.0, 0.0, 0.0, 1.0]])


def _qform(path: Path, header: Nifti1Header) -> np.ndarray:
    """Return the matrix of the quaternion, pixdim and the offsets."""
    b, c, d = (float(header[f"quatern_{name}"]) for name in "bcd")
    square = b * b + c * c + d * d
    qfac = float(header["pixdim"][0]) or 1.0
    if not square <= 1 + QUATERNION_TOLERANCE or qfac not in (-1.0, 1.0):
        raise InputError(
            f"{path}: its qform is damaged (the quaternion {b:g}, {c:g}, {d:g} with a first pixdim "
            f"of {qfac:g} is no rotation); export it again."
        )
    # As the standard's reference library: so near half a turn, the rest is rounding.
    rest = 1 - square
    if rest < LEAST_REST:
        rest = 0.0
    rotation = nibabel.quaternions.quat2mat([math.sqrt(rest), b, c, d])
    affine = np.eye(4)
    with np.errstate(invalid="ignore"):
        affine[:3, :3] = rotation * np.array(header["pixdim"][1:4], dtype=float) * (1, 1, qfac)
    affine[:3, 3] = [float(header[f"qoffset_{axis}"]) for axis in "xyz"]
    return affine


def _alike(one: np.ndarray, other: np.ndarray, size: tuple[int, ...]) -> bool:
    """Tell whether two matrices place every corner alike, to a part of a voxel."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    corners = np.array([[*c, 1] for c in np.ndindex(2, 2, 2)]) * [*(n - 1 for n in size), 1]
    apart = np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max()
    edges = [*np.linalg.norm(one[:3, :3], axis=0), *np.linalg.norm(other[:3, :3], axis=0)]
    return bool(apart <= AGREEMENT_VOXELS * min(edges))


def _words(affine: np.ndarray, mm: float) -> str:
    """Describe a matrix: voxel size, to where the axes lead, their tilt and the first voxel."""
    if not np.isfinite(affine).all():
        return "numbers that are not finite"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    axes = (LPS_TO_RAS @ affine)[:3, :3] / np.where(sizes > 0, sizes, 1)
    cosine = max(abs(float(axes[:, i] @ axes[:, j])) for i, j in ((0, 1), (0, 2), (1, 2)))
    tilt = math.degrees(math.asin(min(1.0, cosine)))
    tilted = f", tilted by {tilt:.1f} degrees" if tilt > TILT_DEGREES else ""
    along = np.abs(axes).max(axis=0).min() > ALONG_COSINE
    vectors = "; ".join(", ".join(f"{v:.3f}" for v in axis + 0.0) for axis in axes.T)
    first = ", ".join(f"{v:.4g}" for v in mm * affine[:3, 3])
    return (
        f"{sizes_text((mm * sizes).tolist())} mm, axes to {letters_of(axes.ravel().tolist())}"
        f"{'' if along else f' ({vectors}; LPS)'}{tilted}, first voxel at {first} mm (RAS)"
    )
