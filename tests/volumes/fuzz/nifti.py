"""NIfTI: headers altered field by field; nibabel is the independent reader."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1Image

from fuzz.common import (
    LPS_TO_RAS,
    POISON,
    Alteration,
    Reading,
    Scan,
    UndefinedError,
    agree,
    appended,
    axes_of,
    changed_byte,
    pick,
    random_scan,
    replaced_by,
    truncated,
)

ENDINGS = ("v.nii", "v.nii.gz")
# Millimetres in a unit of space by its code; 0 is unknown, which readers take for mm.
UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
# Fields whose numbers are altered, with what a refusal may speak of.
FIELDS = {
    "dim": ("size",), "pixdim": ("spacing", "orientation"), "datatype": ("type", "colour"),
    "bitpix": ("type",), "vox_offset": ("length", "header"), "scl_slope": ("values",),
    "scl_inter": ("values",), "xyzt_units": ("units", "spacing"), "qform_code": ("orientation",),
    "sform_code": ("orientation",), "quatern_b": ("orientation",), "quatern_c": ("orientation",),
    "quatern_d": ("orientation",), "qoffset_x": ("origin", "orientation"),
    "qoffset_z": ("origin", "orientation"), "srow_x": ("orientation", "spacing", "origin"),
    "srow_y": ("orientation", "spacing", "origin"), "srow_z": ("orientation", "spacing", "origin"),
    "sizeof_hdr": ("header", "length"), "dim_info": (), "slice_code": (), "cal_max": (),
    "intent_code": (), "toffset": (), "slice_start": (),
}  # fmt: skip


@dataclass
class Draft:
    """A valid NIfTI file that is not yet written."""

    scan: Scan
    header: Nifti1Header
    name: str
    order: str = "<"
    data_order: str = "<"
    magic: bytes = b"n+1\0"
    extension: bytes = b"\0\0\0\0"


def draft(random: np.random.Generator, scan: Scan | None = None) -> Draft:
    scan = scan or random_scan(random)
    header = Nifti1Header()
    header.set_data_dtype(scan.values.dtype)
    header.set_data_shape(scan.values.shape)
    header.set_xyzt_units("mm")
    q, s = pick(random, [(1, 1), (1, 0), (0, 1), (1, 2), (2, 1)])
    affine = LPS_TO_RAS @ scan.affine
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header["qform_code"], header["sform_code"] = q, s
    if q == 0:
        for field in ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"):
            header[field] = 0
    if s == 0:
        for row in ("srow_x", "srow_y", "srow_z"):
            header[row] = 0
    header["vox_offset"] = 352
    header["scl_slope"] = 1
    header["scl_inter"] = 0
    return Draft(scan, header, pick(random, ENDINGS))


def write(draft: Draft, folder: Path) -> Path:
    header = draft.header.structarr.astype(draft.header.structarr.dtype.newbyteorder(draft.order))
    header["magic"] = draft.magic
    values = draft.scan.values
    stored = values.astype(values.dtype.newbyteorder(draft.data_order)).tobytes("F")
    content = header.tobytes() + draft.extension + stored
    path = folder / draft.name
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def alter(random: np.random.Generator, draft: Draft, number: int) -> Alteration:
    if number < 40:
        draft.name = ENDINGS[number % 2]
        return Alteration(f"truncated at {number // 2 * 5} %", ("length",), after=truncated(
            number // 2 * 5))  # fmt: skip
    return pick(random, ALTERATIONS)(random, draft)


def _poisoned(random: np.random.Generator, draft: Draft) -> Alteration:
    field = pick(random, list(FIELDS))
    old = draft.header[field]
    where = () if old.ndim == 0 else (int(random.integers(min(old.size, 5))),)
    kind = old.dtype
    with np.errstate(all="ignore"):
        value = float(old[where])
        new = pick(random, [*POISON, -value, 2 * value, value / 2, value + 1, value * 1.2])
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            new = int(np.clip(np.nan_to_num(new), limits.min, limits.max))
    changed = old.copy()
    changed[where] = new
    draft.header[field] = changed
    return Alteration(f"{field}{list(where)} {value:g} -> {new:g}", FIELDS[field])


def _exchanged(random: np.random.Generator, draft: Draft) -> Alteration:
    field = pick(random, ["dim", "pixdim", "srow_x", "srow_y"])
    changed = draft.header[field].copy()
    a, b = random.choice(4, 2, replace=False)
    changed[[a, b]] = changed[[b, a]]
    draft.header[field] = changed
    return Alteration(f"{field}[{a}] and [{b}] exchanged", FIELDS[field])


def _rows_exchanged(random: np.random.Generator, draft: Draft) -> Alteration:
    a, b = random.permutation(["srow_x", "srow_y", "srow_z"])[:2]
    first, second = draft.header[a].copy(), draft.header[b].copy()
    draft.header[a], draft.header[b] = second, first
    return Alteration(f"{a} and {b} exchanged", FIELDS["srow_x"])


def _other_endianness(random: np.random.Generator, draft: Draft) -> Alteration:
    draft.order = draft.data_order = ">"
    return Alteration("big-endian", harmless=True)


def _header_of_other_endianness(random: np.random.Generator, draft: Draft) -> Alteration:
    draft.order = ">"
    return Alteration("big-endian header, little-endian voxels")


def _other_magic(random: np.random.Generator, draft: Draft) -> Alteration:
    draft.magic = pick(random, [b"ni1\0", b"n+2\0", b"\0\0\0\0", b"n+1x", b"abc\0"])
    return Alteration(f"magic {draft.magic!r}", ("header", "length", "encoding"))


def _other_code(random: np.random.Generator, draft: Draft) -> Alteration:
    field, codes = pick(random, [
        ("datatype", [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2304, 999]),
        ("xyzt_units", [0, 1, 2, 3, 4, 7, 10, 11, 34]),
        ("qform_code", [0, 1, 2, 3, 4, 5, 77, -1]), ("sform_code", [0, 1, 2, 3, 4, 5, 77, -1]),
    ])  # fmt: skip
    draft.header[field] = code = pick(random, codes)
    return Alteration(f"{field} {code}", (*FIELDS[field], "length"))


def _unit_with_its_numbers(random: np.random.Generator, draft: Draft) -> Alteration:
    """A consistent change: everything in micrometres."""
    draft.header["xyzt_units"] = 3 | pick(random, [0, 8, 16])
    for field in ("srow_x", "srow_y", "srow_z", "qoffset_x", "qoffset_y", "qoffset_z"):
        draft.header[field] = draft.header[field] * 1000
    pixdim = draft.header["pixdim"].copy()
    pixdim[1:4] *= 1000
    draft.header["pixdim"] = pixdim
    return Alteration("in micrometres", harmless=True, tolerance_mm=1e-3)


def _slope(random: np.random.Generator, draft: Draft) -> Alteration:
    slope = pick(random, [0, 1, 2.5, -1, 0.001, np.nan, np.inf, 1e-40, 1e38])
    inter = pick(random, [0, -1024, 0.5, np.nan, np.inf])
    draft.header["scl_slope"], draft.header["scl_inter"] = slope, inter
    fine = (np.isfinite([slope, inter]).all() and 1e-4 < abs(slope) < 10) or slope == 0 == inter
    return Alteration(f"slope {slope:g}, intercept {inter:g}", ("values",), harmless=bool(fine))


def _size_with_its_voxels(random: np.random.Generator, draft: Draft) -> Alteration:
    """The header's sizes exchanged, which as many voxels fill."""
    dim = draft.header["dim"].copy()
    dim[1:4] = dim[[2, 3, 1]]
    draft.header["dim"] = dim
    return Alteration("sizes in another order", harmless=True)


def _words(random: np.random.Generator, draft: Draft) -> Alteration:
    draft.header["descrip"] = "Gehörgänge µCT".encode(pick(random, ["utf-8", "latin-1"]))
    draft.header["aux_file"] = b"\xff" * 24
    return Alteration("words that are not ASCII", harmless=True)


def _extended(random: np.random.Generator, draft: Draft) -> Alteration:
    good = random.random() < 0.5
    size = 32 if good else pick(random, [0, -16, 7, 1 << 30])
    draft.extension = b"\1\0\0\0" + np.array([size, 6], "<i4").tobytes() + b"comment".ljust(24)
    draft.header["vox_offset"] = 384
    return Alteration(f"header extension of {size} bytes", ("header", "length"), harmless=good)


def _voxels_not_numbers(random: np.random.Generator, draft: Draft) -> Alteration:
    values = draft.scan.values
    if values.dtype.kind != "f":
        return _slope(random, draft)
    values[tuple(random.integers(5, size=3))] = bad = pick(random, [np.nan, np.inf, -np.inf])
    return Alteration(f"a voxel is {bad}", ("values",))


def _other_bytes(random: np.random.Generator, draft: Draft) -> Alteration:
    kind = pick(random, ["appended", "replaced", "empty", "swapped names", "header byte", "byte"])
    compressed = draft.name.endswith(".gz")
    if kind == "appended":
        return Alteration("bytes appended", ("length", "encoding"), after=appended(b"\0junk" * 9))
    if kind == "replaced":
        return Alteration("an HTML page", ("header", "encoding"), after=replaced_by(
            b"<html>404 not found</html>\n" * 40))  # fmt: skip
    if kind == "empty":
        return Alteration("an empty file", ("length",), after=replaced_by(b""))
    if kind == "swapped names":
        after = _unpacked if compressed else _packed
        return Alteration("compressed under the other name", ("encoding",), after=after)
    if kind == "header byte":
        return Alteration("a byte of the header", after=changed_byte(random, 0, 348))
    return Alteration("a byte of the file", after=changed_byte(random, 0, 0))


def _packed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def _unpacked(path: Path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes()))


ALTERATIONS = (
    *[_poisoned] * 10, *[_exchanged] * 2, _rows_exchanged, _other_endianness,
    _header_of_other_endianness, _other_magic, *[_other_code] * 2, _unit_with_its_numbers,
    *[_slope] * 2, _size_with_its_voxels, _words, _extended, _voxels_not_numbers,
    *[_other_bytes] * 4,
)  # fmt: skip


def independent(path: Path) -> Reading | UndefinedError | str:
    """Read with nibabel, and by the standard's rules of what its fields mean."""
    try:
        header = _raw_header(path)
        image = Nifti1Image.from_filename(path)
        size = image.shape
        while len(size) > 3 and size[-1] == 1:
            size = size[:-1]
        if len(size) != 3 or min(size) < 2:
            return UndefinedError(f"no volume: {image.shape}")
        if image.get_data_dtype().kind not in "iuf":
            return UndefinedError("voxels of several values")
        values = np.asarray(image.dataobj).reshape(size).astype(np.float64)
        affine = _affine(header, size)
        return Reading(values, affine)
    except UndefinedError as reason:
        return reason
    except (
        OSError, ValueError, EOFError, zlib.error, MemoryError, OverflowError, TypeError,
        nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError,
        nibabel.wrapstruct.WrapStructError,
    ) as error:  # fmt: skip
        return f"{type(error).__name__}: {error}"


def _raw_header(path: Path) -> Nifti1Header:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as stream:
        return Nifti1Header(stream.read(348), check=False)


def _affine(header: Nifti1Header, size: tuple[int, ...]) -> np.ndarray:
    """The one place of a volume: all that is stated must agree."""
    unit = UNIT_MM.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        raise UndefinedError(f"unit code {header['xyzt_units']}")
    pixdim = header["pixdim"][1:4].astype(float)
    if not ((pixdim > 0) & np.isfinite(pixdim)).all():
        raise UndefinedError(f"pixdim {pixdim}")
    stated = []
    if header["qform_code"] > 0:
        # The standard's reference code takes the sign of pixdim[0], and 0 for +1.
        checked = header.copy()
        first = checked["pixdim"].copy()
        first[0] = -1 if first[0] < 0 else 1
        checked["pixdim"] = first
        stated.append(checked.get_qform())
    if header["sform_code"] > 0:
        stated.append(header.get_sform())
    if not stated:
        raise UndefinedError("neither qform nor sform")
    for affine in stated:
        lengths = np.linalg.norm(axes_of(affine), axis=0)
        if not np.allclose(lengths, pixdim, rtol=0.01):
            raise UndefinedError(f"pixdim {pixdim}, but axes of {lengths}")
        if not agree(affine, stated[0], size):
            raise UndefinedError("qform and sform disagree")
    affine = LPS_TO_RAS @ stated[-1]
    affine[:3] *= unit
    return affine
