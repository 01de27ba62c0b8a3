"""NRRD, by its standard: what a header states twice is compared."""

import math
import re
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
    mm_of,
    orientation_of,
    refuse_contradiction,
    sizes_text,
)
from otosynth.volumes.formats.stored import (
    as_float32,
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

ENDINGS = (".nrrd", ".nhdr")
MAGIC = re.compile(rb"NRRD000[1-9]")
# Of the file that holds the voxels.
DATA_FILE_KEYS = ("data file", "datafile")
DATA_TYPES = {
    name: kind
    for kind, names in {
        "i1": "signed char, int8, int8_t",
        "u1": "uchar, unsigned char, uint8, uint8_t",
        "i2": "short, short int, signed short, signed short int, int16, int16_t",
        "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
        "i4": "int, signed int, int32, int32_t",
        "u4": "uint, unsigned int, uint32, uint32_t",
        "i8": "longlong, long long, long long int, signed long long, signed long long int, "
        "int64, int64_t",
        "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split(", ")
}
SPACES = {
    "right-anterior-superior": "RAS",
    "left-anterior-superior": "LAS",
    "left-posterior-superior": "LPS",
}
KINDS_OF_SPACE = ("domain", "space", "???", "none")
FIELDS = {
    field
    for line in (
        "content; type; dimension; number; sizes; endian; encoding; kinds; labels; min; max",
        "space; space dimension; space units; space origin; space directions; measurement frame",
        "block size; blocksize; old min; oldmin; old max; oldmax; data file; datafile",
        "line skip; lineskip; byte skip; byteskip; sample units; sampleunits; units",
        "spacings; thicknesses; axis mins; axismins; axis maxs; axismaxs; centers; centerings",
    )
    for field in line.split("; ")
}
PACKINGS = {"gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
TEXTS = ("txt", "text", "ascii")


class Nrrd(Format):
    """NRRD: one file, or a header beside its voxels."""

    name = "nrrd"
    description = "NRRD (.nrrd, .nhdr)"

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
        beside = data_file(path, _read_header(path).first(*DATA_FILE_KEYS))
        return sorted([path, *([beside] if beside else [])])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write one compressed file."""
        path = stem.with_name(f"{stem.name}.nrrd")
        with written_whole(path) as beside:
            sitk.WriteImage(image, str(beside), useCompression=True)
        return path


def _read_header(path: Path) -> TextHeader:
    with path.open("rb") as stream:
        if not MAGIC.match(stream.read(8)):
            raise InputError(f"{path}: is no NRRD file, or is damaged; export it again.")
    header = text_header(path, ":", magic="NRRD")
    for field in header.values:
        if field not in FIELDS and not field.startswith("nrrd"):
            raise InputError(
                f"{path}: has the field '{field}', which NRRD does not know; its header is damaged "
                "or misspelt. Export it again."
            )
    return header


def _geometry(header: TextHeader, stated: Stated) -> Header:
    """Return where the voxels lie."""
    path = header.path
    axes, spacing = _vectors(header), numbers(header.first("spacings").split())
    lengths = [math.sqrt(sum(v * v for v in axis)) for axis in axes]
    check_spacing(path, lengths or spacing)
    size = _size(header)
    refuse_other_than_3d_scalar(path, size, 1)
    if axes and spacing and not _alike(lengths, spacing):
        words = {"directions": f"{sizes_text(lengths)} (space directions)",
                 "spacings": f"{sizes_text(spacing)} (spacings)"}  # fmt: skip
        if refuse_contradiction(path, "voxel size", words, stated) == "spacings":
            axes = [[v / n * s for v in axis]
                    for axis, n, s in zip(axes, lengths, spacing, strict=False)]  # fmt: skip
            lengths = spacing
    lengths = lengths or spacing
    if len(lengths) != 3 or any(len(axis) != 3 for axis in axes):
        raise InputError(
            f"{path}: states {len(lengths)} voxel sizes or directions for 3 axes; export it again."
        )
    mm, units = mm_of(path, _unit(header), stated)
    space, remarks = _space(header, stated)
    # As the reference library divides, so that all digits are as they were.
    columns = np.array(
        [[v * (1.0 / n) for v in axis] for axis, n in zip(axes, lengths, strict=False)]
    )
    direction = space @ columns.T if axes else space
    origin = space @ np.array(_origin(header, lengths, bool(axes)))
    spacing_mm = [mm * v for v in lengths]
    grid = grid_of(path, size, spacing_mm, (mm * origin).tolist(), direction + 0.0)
    if not (header.first("space origin") or header.first("axis mins", "axismins")):
        remarks = (*remarks, NO_ORIGIN)
    return Header(grid, units, remarks)


def _alike(one: list[float], other: list[float]) -> bool:
    """Tell whether two lists of voxel sizes are one, but for rounding."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=1e-4))


def _size(header: TextHeader) -> tuple[int, ...]:
    """Return the sizes of the axes in space; an axis of one value per voxel is none."""
    sizes = list(header.whole_numbers("sizes"))
    if len(sizes) != header.count("dimension", 0) or min(sizes, default=0) < 1:
        raise InputError(
            f"{header.path}: states {header.first('dimension') or 'no'} dimensions and the sizes "
            f"'{header.first('sizes')}'; export the file again."
        )
    directions = _words(header.first("space directions"))
    _refuse_other_kinds(header, directions)
    if len(sizes) == 4 and len(directions) == 4:
        values = math.prod(n for n, word in zip(sizes, directions, strict=True) if word == "none")
        if values > 1:
            refuse_other_than_3d_scalar(header.path, (), values)
        sizes = [n for n, word in zip(sizes, directions, strict=True) if word != "none"]
    return tuple(sizes)


def _refuse_other_kinds(header: TextHeader, directions: list[str]) -> None:
    """Refuse an axis that is said to be none of space, or as many kinds as there are no axes."""
    kinds = header.first("kinds").split()
    count = header.count("dimension", 0)
    if kinds and len(kinds) != count:
        raise InputError(
            f"{header.path}: states {len(kinds)} kinds of axes for {count} axes (kinds: "
            f"{' '.join(kinds)}); correct the header, or export the file again."
        )
    # A fourth axis is that of the values per voxel.
    in_space = [
        kind
        for at, kind in enumerate(kinds)
        if len(directions) != len(kinds) or len(kinds) == 3 or directions[at] != "none"
    ]
    other = [kind for kind in in_space if kind.lower() not in KINDS_OF_SPACE]
    if other:
        raise InputError(
            f"{header.path}: has an axis of the kind '{other[0]}' (kinds: {' '.join(kinds)}), such "
            "as of colours or of times, and not three axes in space; export one grey value per "
            "voxel."
        )


def _words(text: str) -> list[str]:
    """Return the vectors of a line such as ``(1,0,0) none (0, 1, 0)``, without parentheses."""
    found = re.findall(r"\(([^)]*)\)|(\S+)", text)
    return [vector or word for vector, word in found]


def _vectors(header: TextHeader) -> list[list[float]]:
    """Return the steps along the axes in space, one vector an axis; none: it states none."""
    words = _words(header.first("space directions"))
    # A fourth axis counts the values per voxel and has no direction.
    return [numbers(word.split(",")) for word in words if word != "none" or len(words) == 3]


def _space(header: TextHeader, stated: Stated) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return to where the file's coordinates lead (LPS; columns)."""
    name = header.first("space").lower()
    letters = SPACES.get(name, name.upper())
    if letters in SPACES.values():
        return axes_of(letters), ()
    missing = f"its space is '{name}'" if name else "it has no field 'space'"
    said = (f"The file states no orientation; {stated.orientation} is stated for it.",)
    return orientation_of(header.path, stated, missing), said


def _unit(header: TextHeader) -> str:
    """Return the unit of lengths; empty where none is stated."""
    stated = {}
    for key in ("space units", "units"):
        text = header.first(key)
        words = re.findall(r'"([^"]*)"', text) or text.split()
        words = [word.strip() for word in words if word.strip() not in ("", "none", "???")]
        if len(set(words)) > 1:
            raise InputError(
                f"{header.path}: its axes have different units ({text}); export it in mm."
            )
        if words:
            stated[key] = words[0]
    if len(set(stated.values())) > 1:
        said = "; ".join(f"{key}: {unit}" for key, unit in stated.items())
        raise InputError(f"{header.path}: states two units of length ({said}); correct the file.")
    return next(iter(stated.values()), "")


def _origin(header: TextHeader, lengths: list[float], has_directions: bool) -> list[float]:
    """Return the centre of the first voxel in the file's coordinates."""
    text = header.first("space origin")
    if text:
        origin = numbers(text[1:-1].split(","))
        if (
            not (text.startswith("(") and text.endswith(")"))
            or len(origin) != 3
            or not np.isfinite(origin).all()
        ):
            raise InputError(
                f"{header.path}: its space origin '{text}' should be 3 numbers; export it again."
            )
        return origin
    lowest = numbers(header.first("axis mins", "axismins").split())
    if has_directions or len(lowest) != 3:
        return [0.0, 0.0, 0.0]
    # The lowest is an edge of the first voxel, unless the samples are nodes.
    half = 0.0 if header.first("centers", "centerings").startswith("node") else 0.5
    return [low + half * n for low, n in zip(lowest, lengths, strict=False)]


def _voxels(header: TextHeader, shape: tuple[int, ...]) -> np.ndarray:
    """Read the voxels (z, y, x) as they are stored."""
    path = header.path
    encoding = header.first("encoding").lower()
    data_type = _data_type(header, encoding)
    beside = data_file(path, header.first(*DATA_FILE_KEYS))
    if beside:
        refuse_missing(path, beside)
    file = beside or path
    start = _skipped_lines(header, file, 0 if beside else header.end)
    skipped = header.count("byte skip", header.count("byteskip", 0))
    if encoding == "raw":
        needed = math.prod(shape) * data_type.itemsize
        if skipped == -1:
            start = max(start, file.stat().st_size - needed)
        return mapped_voxels(file, start + max(0, skipped), data_type, shape)
    content = file.read_bytes()[start:]
    if encoding in PACKINGS:
        if skipped:
            raise InputError(
                f"{path}: skips bytes of compressed voxels, which is not supported; save it anew."
            )
        return unpacked_voxels(file, content, PACKINGS[encoding], data_type, shape)
    if encoding in TEXTS:
        return voxels_of_text(file, content, shape)
    raise InputError(
        f"{path}: its voxels are encoded as '{encoding}', which is not supported; save it as raw "
        "or gzip."
    )


def _skipped_lines(header: TextHeader, file: Path, start: int) -> int:
    """Return the byte at which the voxels begin after lines that are to be skipped."""
    lines = header.count("line skip", header.count("lineskip", 0))
    if lines <= 0:
        return start
    with file.open("rb") as stream:
        stream.seek(start)
        for _ in range(lines):
            stream.readline()
        return stream.tell()


def _data_type(header: TextHeader, encoding: str) -> np.dtype:
    name = header.first("type").lower()
    if name not in DATA_TYPES:
        raise InputError(
            f"{header.path}: its voxels are of the type '{name}', which is not supported; save it "
            "with one grey value per voxel (short or float)."
        )
    data_type = np.dtype(DATA_TYPES[name])
    endian = header.first("endian").lower()
    if data_type.itemsize == 1 or encoding in TEXTS:
        return data_type
    if endian not in ("little", "big"):
        raise InputError(
            f"{header.path}: does not say the order of the bytes (endian: little or big) and is "
            f"'{endian}'; export the file again."
        )
    return data_type.newbyteorder("<" if endian == "little" else ">")
