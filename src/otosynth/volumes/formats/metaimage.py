"""MetaImage, by its standard: what a header states twice is compared."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import written_whole
from otosynth.volumes.formats.base import Format, Header
from otosynth.volumes.formats.rules import (
    NO_ORIGIN,
    axes_of,
    check_spacing,
    grid_of,
    letters_of,
    mm_of,
    orientation_of,
    refuse_contradiction,
)
from otosynth.volumes.formats.stored import (
    as_float32,
    check_bytes,
    mapped_voxels,
    unpacked_voxels,
    voxels_of_text,
)
from otosynth.volumes.formats.text_header import (
    TextHeader,
    data_file,
    numbers,
    refuse_missing,
    text_header,
)
from otosynth.volumes.itk_io import refuse_other_than_3d_scalar
from otosynth.volumes.stated import Stated

ENDINGS = (".mha", ".mhd")
# The last key of a header.
DATA_FILE = "ElementDataFile"
DATA_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
# Of voxel sizes, in any unit; finer differences are rounding.
DECIMALS = 6
# Of an axis with one of the body's.
ALONG_COSINE = 0.9
# MetaImage's letters say where an axis comes from.
OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


class MetaImage(Format):
    """MetaImage: one file, or a header beside its voxels."""

    name = "metaimage"
    description = "MetaImage (.mha, .mhd)"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and path.name.lower().endswith(ENDINGS)

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the header says; see `Format.header`."""
        return _geometry(_read_header(path), stated)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        header = _read_header(path)
        grid = _geometry(header, stated).grid
        return grid.image(as_float32(path, _voxels(header, grid.shape)))

    def files(self, path: Path) -> list[Path]:
        """List the header and, beside it, the file with the voxels."""
        beside = data_file(path, _read_header(path).first(DATA_FILE))
        return sorted([path, *([beside] if beside else [])])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write one compressed file."""
        path = stem.with_name(f"{stem.name}.mha")
        with written_whole(path) as beside:
            sitk.WriteImage(image, str(beside), useCompression=True)
        return path


def _read_header(path: Path) -> TextHeader:
    return text_header(path, "=", DATA_FILE.lower())


def _geometry(header: TextHeader, stated: Stated) -> Header:
    """Return where the voxels lie."""
    path = header.path
    if (kind := header.first("ObjectType") or "Image") != "Image":
        raise InputError(
            f"{path}: holds an object of the type '{kind}' where a scan is an 'Image'; export the "
            "scan itself, or correct its header."
        )
    spacing = _spacing(header, stated)
    size = _size(header)
    refuse_other_than_3d_scalar(path, size, header.count("ElementNumberOfChannels", 1))
    mm, units = mm_of(path, header.first("DistanceUnits"), stated)
    axes, remarks = _axes(header, stated)
    origin = header.numbers("Offset", "Position", "Origin", count=header.count("NDims", 3))
    if not origin:
        remarks = (*remarks, NO_ORIGIN)
    spacing_mm = [mm * v for v in spacing[:3]]
    origin_mm = [mm * v for v in origin[:3] or [0.0, 0.0, 0.0]]
    return Header(grid_of(path, size, spacing_mm, origin_mm, axes), units, remarks)


def _size(header: TextHeader) -> tuple[int, ...]:
    """Return the sizes; a series of one volume is that volume."""
    size = header.whole_numbers("DimSize")
    if len(size) != header.count("NDims", 3) or min(size, default=0) < 1:
        raise InputError(
            f"{header.path}: states {header.first('NDims') or 'no'} dimensions and the sizes "
            f"'{header.first('DimSize')}'; export the file again."
        )
    while len(size) > 3 and size[-1] == 1:
        size = size[:-1]
    return size


def _spacing(header: TextHeader, stated: Stated) -> list[float]:
    """Return the distances of the voxels in the file's unit; their extent is the same."""
    said = {
        key: numbers(header.first(f"Element{key.title()}").split()) for key in ("spacing", "size")
    }
    said = {key: values for key, values in said.items() if values}
    for values in said.values():
        check_spacing(header.path, values)
    if len({tuple(np.round(values, DECIMALS)) for values in said.values()}) > 1:
        words = {
            key: f"{header.first(f'Element{key.title()}')} (Element{key.title()})" for key in said
        }
        return said[refuse_contradiction(header.path, "voxel size", words, stated)]
    spacing = next(iter(said.values()), [])
    check_spacing(header.path, spacing)
    if len(spacing) != header.count("NDims", 3):
        raise InputError(
            f"{header.path}: states {len(spacing)} voxel sizes for {header.count('NDims', 3)} "
            "dimensions; export the file again."
        )
    return spacing


def _axes(header: TextHeader, stated: Stated) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the directions of the axes (LPS; columns): TransformMatrix, or the letters."""
    dimensions = header.count("NDims", 3)
    keys = ("TransformMatrix", "Rotation", "Orientation")
    matrix = header.numbers(*keys, count=dimensions**2)
    # A row of the file is the direction of an axis.
    axes = np.reshape(matrix, (dimensions, dimensions))[:3, :3].T if matrix else None
    text = header.first("AnatomicalOrientation").upper()
    letters = "".join(OPPOSITE.get(letter, "?") for letter in text)
    known = len(letters) == 3 and "?" not in letters and {*"LPS"} == {
        {"R": "L", "A": "P", "I": "S"}.get(letter, letter) for letter in letters
    }  # fmt: skip
    if axes is None and not known:
        missing = "neither TransformMatrix nor AnatomicalOrientation"
        axes = orientation_of(header.path, stated, missing)
        return axes, (f"The file states no orientation; {stated.orientation} is stated for it.",)
    if axes is None:
        return axes_of(letters), ("It has no TransformMatrix; AnatomicalOrientation is used.",)
    leads = letters_of(axes.ravel().tolist())
    # Letters are for axes along the body's; of oblique ones programs round them differently.
    along = bool(np.abs(axes).max(axis=0).min() > ALONG_COSINE)
    if known and along and letters != leads:
        words = {
            "matrix": f"axes to {leads} (TransformMatrix)",
            "letters": f"axes to {letters} (AnatomicalOrientation = {text}: from there)",
        }
        believed = refuse_contradiction(header.path, "orientation", words, stated)
        said = f"Of two statements of the orientation {words[believed]} is believed."
        return (axes if believed == "matrix" else axes_of(letters)), (said,)
    return axes, ()


def _voxels(header: TextHeader, shape: tuple[int, ...]) -> np.ndarray:
    """Read the voxels (z, y, x) as they are stored."""
    path = header.path
    _refuse_scaled(header)
    data_type = _data_type(header)
    beside = data_file(path, header.first(DATA_FILE))
    if not header.first(DATA_FILE):
        raise InputError(
            f"{path}: its header has no ElementDataFile, so it is truncated or damaged; copy or "
            "export it again."
        )
    if beside:
        refuse_missing(path, beside)
    file, offset = beside or path, 0 if beside else header.end
    compressed = _is_true(header, "CompressedData")
    # As MetaImage's library has it, voxels are binary where nothing is said.
    binary = not header.first("BinaryData") or _is_true(header, "BinaryData")
    if compressed and not binary:
        raise InputError(
            f"{path}: says that its voxels are compressed and that they are text (BinaryData = "
            "False), which cannot be; correct the file, or export it again."
        )
    skipped = header.count("HeaderSize", 0)
    bytes_of_voxels = math.prod(shape) * data_type.itemsize
    if skipped == -1:
        offset = max(offset, file.stat().st_size - bytes_of_voxels)
    elif skipped > 0:
        offset = skipped
    if not binary:
        return voxels_of_text(file, file.read_bytes()[offset:], shape)
    if not compressed:
        return mapped_voxels(file, offset, data_type, shape)
    packed = file.read_bytes()[offset:]
    if header.first("CompressedDataSize"):
        announced = header.count("CompressedDataSize", 0)
        check_bytes(file, len(packed), announced)
    return unpacked_voxels(file, packed, "zlib", data_type, shape)


def _data_type(header: TextHeader) -> np.dtype:
    name = header.first("ElementType").upper()
    if name not in DATA_TYPES:
        raise InputError(
            f"{header.path}: its voxels are of the type '{name}', which is not supported; save it "
            "with one grey value per voxel (MET_SHORT or MET_FLOAT)."
        )
    high = _is_true(header, "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    return np.dtype(DATA_TYPES[name]).newbyteorder(">" if high else "<")


def _is_true(header: TextHeader, *keys: str) -> bool:
    """Return a yes or no; no where it is not said."""
    text = header.first(*keys).lower()
    if text not in ("", "true", "false", "1", "0", "yes", "no", "t", "f"):
        raise InputError(
            f"{header.path}: '{keys[0]}' should be True or False and is '{text}'; correct the file."
        )
    return text in ("true", "1", "yes", "t")


def _refuse_scaled(header: TextHeader) -> None:
    """Refuse intensities that are stored by another scale, which programs treat differently."""
    slope = header.numbers("ElementToIntensityFunctionSlope", count=1)
    shift = header.numbers("ElementToIntensityFunctionOffset", count=1)
    if slope not in ([], [1.0]) or shift not in ([], [0.0]):
        raise InputError(
            f"{header.path}: states a scale of its intensities (ElementToIntensityFunction), which "
            "programs read differently; save it with the intensities themselves."
        )
