"""NRRD: header lines altered; pynrrd is the independent reader."""

import bz2
import gzip
import zlib
from pathlib import Path

import nrrd
import numpy as np

from fuzz.common import (
    UNITS_MM,
    Alteration,
    Reading,
    Scan,
    UndefinedError,
    affine_of,
    appended,
    axes_of,
    changed_byte,
    pick,
    random_scan,
    replaced_by,
    truncated,
)
from fuzz.text import TextDraft, exchange_numbers, other_count, poison_number

NAMES = {
    "int16": "short", "uint8": "uchar", "uint16": "ushort", "float32": "float", "int32": "int",
}  # fmt: skip
SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
OTHER_SPACES = ["scanner-xyz", "3D-right-handed", "3D-left-handed", "RAST", "upside-down"]
TOPICS = {
    "type": ("type", "colour"), "dimension": ("size",), "space": ("orientation", "origin"),
    "sizes": ("size",), "space directions": ("spacing", "orientation"),
    "kinds": ("colour", "header", "size"), "endian": ("encoding", "header", "type"),
    "encoding": ("encoding",), "space origin": ("origin",), "space units": ("units",),
    "data file": ("length", "header"), "byte skip": ("length", "header", "encoding"),
    "line skip": ("length", "header", "encoding"), "spacings": ("spacing",),
}  # fmt: skip


def draft(random: np.random.Generator, scan: Scan | None = None) -> TextDraft:
    scan = scan or random_scan(random)
    space = pick(random, [*SPACES])
    axes = (scan.direction * scan.spacing_mm).T * SPACES[space]
    origin = scan.origin_mm * SPACES[space]
    encoding = pick(random, ["raw", "gzip"])
    detached = bool(random.random() < 0.4)
    order = pick(random, ["little", "big"])
    values = scan.values.astype(scan.values.dtype.newbyteorder("<>"[order == "big"]))
    stored = values.tobytes("F")
    lines = [
        ("type", NAMES[scan.values.dtype.name]),
        ("dimension", "3"),
        ("space", space.upper() if len(space) == 3 else space),
        ("sizes", " ".join(map(str, scan.values.shape))),
        ("space directions", " ".join(_vector(axis) for axis in axes)),
        ("kinds", "domain domain domain"),
        ("endian", order),
        ("space origin", _vector(origin)),
        ("encoding", encoding),
    ]
    if detached:
        lines.append(("data file", "v.raw"))
    return TextDraft(
        scan, lines, "v.nhdr" if detached else "v.nrrd",
        gzip.compress(stored, 1) if encoding == "gzip" else stored, detached, ": ",
        magic=f"NRRD000{pick(random, [4, 5])}",
    )  # fmt: skip


def _vector(numbers: np.ndarray) -> str:
    return f"({','.join(repr(float(n)) for n in numbers)})"


def write(draft: TextDraft, folder: Path) -> Path:
    return draft.write(folder, "" if draft.detached else draft.line_end)


def alter(random: np.random.Generator, draft: TextDraft, number: int) -> Alteration:
    if number < 40:
        place = _voxels_of if draft.detached else None
        return _after(f"truncated at {number // 2 * 5} %", ("length", "header"),
                      truncated(number // 2 * 5), place)  # fmt: skip
    return pick(random, ALTERATIONS)(random, draft)


def _voxels_of(path: Path) -> Path:
    return path.with_name("v.raw")


def _after(name, topics, change, place=None) -> Alteration:
    return Alteration(
        name, topics, after=lambda path: change(place(path) if place else path)
    )  # fmt: skip


def _number(random: np.random.Generator, draft: TextDraft) -> Alteration:
    key, old = pick(random, [line for line in draft.lines if any(map(str.isdigit, line[1]))])
    new = pick(random, [poison_number, poison_number, exchange_numbers, other_count])(random, old)
    draft.put(key, new)
    return Alteration(f"{key}: {old} -> {new}", (*TOPICS[key], "header"))


def _line(random: np.random.Generator, draft: TextDraft) -> Alteration:
    key, value = pick(random, draft.lines)
    what = pick(random, ["missing", "twice", "twice, differently", "empty", "misspelt"])
    at = draft.lines.index((key, value))
    if what == "missing":
        draft.drop(key)
    elif what == "twice":
        draft.lines.insert(at, (key, value))
    elif what == "twice, differently":
        draft.lines.insert(at, (key, poison_number(random, value)))
    elif what == "empty":
        draft.put(key, "")
    else:
        draft.lines[at] = (key[:-1] + "q", value)
    return Alteration(f"{key} {what}", (*TOPICS[key], "header", "length"))


def _word(random: np.random.Generator, draft: TextDraft) -> Alteration:
    key, words = pick(random, [
        ("type", [*NAMES.values(), "double", "int8", "uint64", "block", "half", "unsigned char"]),
        ("space", [*SPACES, *OTHER_SPACES]), ("endian", ["little", "big", "middle"]),
        ("encoding", ["raw", "gzip", "gz", "bzip2", "bz2", "ascii", "text", "hex", "zip"]),
        ("kinds", ["space space space", "vector domain domain", "domain domain", "RGB-color "
         "domain domain", "list domain domain", "domain domain time", "??? ??? ???"]),
        ("dimension", ["2", "4", "0", "three"]),
    ])  # fmt: skip
    new = pick(random, words)
    old = draft.get(key)
    draft.put(key, new)
    return Alteration(f"{key} {old} -> {new}", (*TOPICS[key], "header", "length"))


def _units(random: np.random.Generator, draft: TextDraft) -> Alteration:
    unit = pick(random, ["mm", "um", "µm", "cm", "m", "in", "furlong", "", "MM", "micron"])
    units = [unit] * 3 if random.random() < 0.8 else [unit, "mm", "mm"]
    draft.put("space units", " ".join(f'"{one}"' for one in units))
    return Alteration(f"space units {units}", ("units", "spacing", "header"), harmless=unit == "mm")


def _more(random: np.random.Generator, draft: TextDraft) -> Alteration:
    """Lines that a file may have as well."""
    key, value, harmless = pick(random, [
        ("spacings", "1 1 1", False), ("spacings", "nan nan nan", False),
        ("space dimension", "3", False), ("space dimension", "2", False),
        ("old min", "-50", True), ("content", "Gehörgang", True), ("min", "0", True),
        ("measurement frame", "(1,0,0) (0,1,0) (0,0,1)", True), ("thicknesses", "1 1 2", True),
        ("centers", "cell cell cell", True), ("centerings", "node node node", False),
        ("labels", '"x" "y" "z"', True), ("byte skip", "0", True), ("byte skip", "-1", False),
        ("byte skip", "2", False), ("line skip", "1", False), ("sample units", '"HU"', True),
        ("axis mins", "0 0 0", False), ("number", "210", False), ("byte skip", "-5", False),
    ])  # fmt: skip
    draft.put(key, value)
    if value == "Gehörgang":
        draft.encoding = pick(random, ["utf-8", "latin-1"])
    return Alteration(f"{key}: {value}", () if harmless else (*TOPICS.get(key, ()), "header",
                      "spacing", "origin", "size", "length"), harmless=harmless)  # fmt: skip


def _form(random: np.random.Generator, draft: TextDraft) -> Alteration:
    what = pick(random, ["comments", "CRLF", "key:=value", "magic", "order"])
    if what == "comments":
        draft.lines.insert(2, ("# a remark", "with a colon"))
    elif what == "CRLF":
        draft.line_end = "\r\n"
    elif what == "key:=value":
        draft.lines.append(("modality:=CT", "ü"))
        draft.separator = ": "
    elif what == "magic":
        draft.magic = pick(
            random, ["NRRD0001", "NRRD0009", "NRRD", "nrrd0004", "MINC", "NRRD0005 "]
        )
        return Alteration(f"magic {draft.magic}", ())
    else:
        first, *rest = draft.lines
        draft.lines = [*rest[:1], *[rest[k] for k in 1 + random.permutation(len(rest) - 1)], first]
        return Alteration("lines in another order", ())
    return Alteration(what, harmless=what in ("comments", "CRLF"))


def _whole_unit(random: np.random.Generator, draft: TextDraft) -> Alteration:
    """A consistent change: everything in micrometres."""
    space = SPACES[draft.get("space").lower()]
    axes = (draft.scan.direction * draft.scan.spacing_mm).T * space * 1000
    draft.put("space directions", " ".join(_vector(axis) for axis in axes))
    draft.put("space origin", _vector(draft.scan.origin_mm * space * 1000))
    draft.put("space units", '"um" "um" "um"')
    return Alteration("in micrometres", harmless=True)


def _other_bytes(random: np.random.Generator, draft: TextDraft) -> Alteration:
    place = _voxels_of if draft.detached and random.random() < 0.5 else None
    what = pick(random, ["appended", "replaced", "empty", "header byte", "byte", "bzip2"])
    if what == "appended":
        return _after("bytes appended", ("length", "encoding", "header"), appended(b"\0junk" * 9),
                      place)  # fmt: skip
    if what == "replaced":
        return _after("an HTML page", ("header", "encoding", "length"), replaced_by(
            b"<html>404 not found</html>\n"), place)  # fmt: skip
    if what == "empty":
        return _after("an empty file", ("length", "header", "encoding"), replaced_by(b""), place)
    if what == "header byte":
        return _after("a byte of the header", (), changed_byte(random, 0, 300))
    if what == "bzip2":
        stored = draft.voxels if draft.get("encoding") == "raw" else gzip.decompress(draft.voxels)
        draft.voxels = bz2.compress(stored)
        draft.put("encoding", "bzip2")
        return Alteration("compressed as bzip2", ("encoding",))
    return _after("a byte", (), changed_byte(random, 0, 0), place)


ALTERATIONS = (
    *[_number] * 7, *[_line] * 5, *[_word] * 4, *[_units] * 2, *[_more] * 3, *[_form] * 2,
    _whole_unit, *[_other_bytes] * 4,
)  # fmt: skip


def independent(path: Path) -> Reading | UndefinedError | str:
    """Read with pynrrd, and by the standard's rules of what its fields mean."""
    try:
        with path.open("rb") as stream:
            header = nrrd.read_header(stream)
            affine = _affine(header)
            values = nrrd.read_data(header, stream, str(path), index_order="F")
        if values.dtype.kind not in "iuf" or values.ndim != 3 or min(values.shape) < 2:
            return UndefinedError("no volume of one number a voxel")
        return Reading(values.astype(np.float64), affine)
    except UndefinedError as reason:
        return reason
    except (
        nrrd.NRRDError, OSError, ValueError, EOFError, zlib.error, KeyError, IndexError, TypeError,
        MemoryError, OverflowError, AssertionError, AttributeError, StopIteration,
    ) as error:  # fmt: skip
        return f"{type(error).__name__}: {error}"


def _affine(header: dict) -> np.ndarray:
    if header.get("dimension") != 3 or len(header.get("sizes", ())) != 3:
        raise UndefinedError(f"dimension {header.get('dimension')}, sizes {header.get('sizes')}")
    kinds = header.get("kinds", ["domain"] * 3)
    if any(kind not in ("domain", "space", "???", "none") for kind in kinds) or len(kinds) != 3:
        raise UndefinedError(f"kinds {kinds}")
    signs = SPACES.get(str(header.get("space")).strip().lower())
    if signs is None:
        raise UndefinedError(f"no orientation: space {header.get('space')}")
    if "space directions" not in header:
        raise UndefinedError("a space, and no directions")
    axes = np.array(header["space directions"], float)
    origin = np.array(header.get("space origin", [0.0, 0.0, 0.0]), float)
    if axes.shape != (3, 3) or origin.shape != (3,):
        raise UndefinedError("vectors of another length than 3")
    if "spacings" in header:
        spacings = np.array(header["spacings"], float)
        lengths = np.linalg.norm(axes, axis=1)
        if np.isfinite(spacings).any() and not np.allclose(spacings, lengths, rtol=0.01):
            raise UndefinedError("spacings beside directions")
    units = [str(unit).strip().strip('"') for unit in header.get("space units", ["mm"] * 3)]
    if len(units) != 3 or any(unit not in UNITS_MM for unit in units if unit):
        raise UndefinedError(f"space units {units}")
    # Space units are those of the space's axes, not of the voxels' axes.
    scale = np.array([UNITS_MM[unit or "mm"] for unit in units]) * signs
    affine = affine_of((1, 1, 1), origin * scale, (axes * scale).T)
    axes_of(affine)
    return affine
