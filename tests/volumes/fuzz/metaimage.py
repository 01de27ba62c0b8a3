"""MetaImage: header lines altered; the independent reader is a small one of the standard's."""

import zlib
from pathlib import Path

import numpy as np

from fuzz.common import (
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

TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {
    "int16": "MET_SHORT", "uint8": "MET_UCHAR", "uint16": "MET_USHORT", "float32": "MET_FLOAT",
    "int32": "MET_INT",
}  # fmt: skip
MATRICES = ("TransformMatrix", "Rotation", "Orientation")
ORIGINS = ("Offset", "Position", "Origin")
TOPICS = {
    "NDims": ("size",), "DimSize": ("size",), "ElementSpacing": ("spacing",),
    "TransformMatrix": ("orientation",), "Offset": ("origin",), "ElementType": ("type", "colour"),
    "BinaryDataByteOrderMSB": ("encoding",), "ElementDataFile": ("length", "header"),
    "CompressedData": ("encoding", "length"), "ElementNumberOfChannels": ("colour", "type"),
    "HeaderSize": ("length",), "CompressedDataSize": ("length", "encoding"),
    "AnatomicalOrientation": ("orientation",), "DistanceUnits": ("units",),
    "ObjectType": ("header",), "BinaryData": ("encoding", "type"),
    "CenterOfRotation": ("orientation", "origin"),
}  # fmt: skip


def draft(random: np.random.Generator, scan: Scan | None = None) -> TextDraft:
    scan = scan or random_scan(random)
    big, compressed, detached = (bool(random.random() < 0.4) for _ in range(3))
    values = scan.values.astype(scan.values.dtype.newbyteorder("<>"[big]))
    stored = values.tobytes("F")
    voxels = zlib.compress(stored, 1) if compressed else stored
    lines = [
        ("ObjectType", "Image"),
        ("NDims", "3"),
        ("BinaryData", "True"),
        ("BinaryDataByteOrderMSB", str(big)),
        ("CompressedData", str(compressed)),
        *([("CompressedDataSize", str(len(voxels)))] if compressed else []),
        ("TransformMatrix", _numbers(scan.direction.T)),
        ("Offset", _numbers(scan.origin_mm)),
        ("CenterOfRotation", "0 0 0"),
        ("ElementSpacing", _numbers(scan.spacing_mm)),
        ("DimSize", _numbers(scan.values.shape)),
        ("ElementType", NAMES[scan.values.dtype.name]),
        ("ElementDataFile", "v.raw" if detached else "LOCAL"),
    ]
    return TextDraft(scan, lines, "v.mhd" if detached else "v.mha", voxels, detached, " = ")


def _numbers(numbers: object) -> str:
    return " ".join(f"{float(n):.17g}" for n in np.ravel(numbers))


def write(draft: TextDraft, folder: Path) -> Path:
    return draft.write(folder)


def alter(random: np.random.Generator, draft: TextDraft, number: int) -> Alteration:
    if number < 40:
        return _after(f"truncated at {number // 2 * 5} %", ("length", "header"),
                      truncated(number // 2 * 5), draft.detached)  # fmt: skip
    return pick(random, ALTERATIONS)(random, draft)


def _after(name, topics, change, detached: bool) -> Alteration:
    def after(path: Path) -> None:
        change(path.with_name("v.raw") if detached else path)

    return Alteration(name, topics, after=after)


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
        ("ElementType", [*TYPES, "MET_OTHER", "MET_STRING", "short", "MET_UCHAR_ARRAY"]),
        ("BinaryDataByteOrderMSB", ["True", "False", "maybe"]),
        ("CompressedData", ["True", "False"]), ("BinaryData", ["False", "True"]),
        ("ObjectType", ["Image", "Tube", "Group"]), ("NDims", ["2", "4", "0", "three", "11"]),
    ])  # fmt: skip
    new = pick(random, words)
    old = draft.get(key)
    draft.put(key, new)
    return Alteration(f"{key} {old} -> {new}", (*TOPICS[key], "header", "length"))


def _units(random: np.random.Generator, draft: TextDraft) -> Alteration:
    unit = pick(random, ["mm", "um", "cm", "?", "furlong", "MM", "m"])
    draft.put("DistanceUnits", unit)
    return Alteration(f"DistanceUnits {unit}", ("units", "spacing"), harmless=unit == "mm")


def _whole_unit(random: np.random.Generator, draft: TextDraft) -> Alteration:
    """A consistent change: everything in micrometres."""
    draft.put("ElementSpacing", _numbers(draft.scan.spacing_mm * 1000))
    draft.put("Offset", _numbers(draft.scan.origin_mm * 1000))
    draft.put("DistanceUnits", "um")
    return Alteration("in micrometres", harmless=True)


def _more(random: np.random.Generator, draft: TextDraft) -> Alteration:
    """Lines that a file may have as well."""
    key, value, harmless = pick(random, [
        ("Comment", "Gehörgang", True), ("Modality", "MET_MOD_CT", True), ("ElementMin", "5", True),
        ("AnatomicalOrientation", "RAI", False), ("AnatomicalOrientation", "???", False),
        ("ElementToIntensityFunctionSlope", "2", False), ("ElementByteOrderMSB", "True", False),
        ("ElementToIntensityFunctionOffset", "-1024", False), ("ElementSize", "1 1 1", False),
        ("ElementNumberOfChannels", "1", True), ("ElementNumberOfChannels", "2", False),
        ("HeaderSize", "0", True), ("HeaderSize", "-1", False), ("HeaderSize", "4", False),
        ("CenterOfRotation", "5 5 5", False), ("Name", "x" * 300, True), ("Foo", "bar", True),
        ("Position", "1 2 3", False), ("Rotation", "0 1 0 1 0 0 0 0 1", False),
        ("ID", "7", True), ("Color", "1 0 0 1", True),
    ])  # fmt: skip
    draft.put(key, value)
    if value == "Gehörgang":
        draft.encoding = pick(random, ["utf-8", "latin-1"])
    topics = (*TOPICS.get(key, ()), "header", "spacing", "origin", "size", "length", "values")
    return Alteration(f"{key} = {value}", () if harmless else topics, harmless=harmless)


def _form(random: np.random.Generator, draft: TextDraft) -> Alteration:
    what = pick(random, ["CRLF", "order", "no blanks", "synonyms"])
    if what == "CRLF":
        draft.line_end = "\r\n"
    elif what == "order":
        *lines, last = draft.lines
        draft.lines = [
            *lines[:2],
            *[lines[k] for k in 2 + random.permutation(len(lines) - 2)],
            last,
        ]
        return Alteration("lines in another order", harmless=True)
    elif what == "no blanks":
        draft.separator = "="
    else:
        names = {"TransformMatrix": pick(random, MATRICES), "Offset": pick(random, ORIGINS)}
        draft.lines = [(names.get(key, key), value) for key, value in draft.lines]
        return Alteration(f"synonyms {names}", harmless=True)
    return Alteration(what)


def _other_bytes(random: np.random.Generator, draft: TextDraft) -> Alteration:
    detached = draft.detached and random.random() < 0.5
    what = pick(random, ["appended", "replaced", "empty", "header byte", "byte"])
    if what == "appended":
        return _after("bytes appended", ("length", "encoding"), appended(b"\0junk" * 9), detached)
    if what == "replaced":
        return _after("an HTML page", ("header", "encoding", "length"), replaced_by(
            b"<html>404 not found</html>\n"), detached)  # fmt: skip
    if what == "empty":
        return _after("an empty file", ("length", "header", "encoding"), replaced_by(b""), detached)
    if what == "header byte":
        return _after("a byte of the header", (), changed_byte(random, 0, 300), False)
    return _after("a byte", (), changed_byte(random, 0, 0), detached)


ALTERATIONS = (
    *[_number] * 7, *[_line] * 5, *[_word] * 4, *[_units] * 2, *[_more] * 3, *[_form] * 2,
    _whole_unit, *[_other_bytes] * 4,
)  # fmt: skip


def independent(path: Path) -> Reading | UndefinedError | str:
    """Read by the fields of the standard."""
    try:
        fields, voxels = _parted(path.read_bytes())
        affine = _affine(fields)
        return Reading(_values(path, fields, voxels), affine)
    except UndefinedError as reason:
        return reason
    except (
        OSError, ValueError, KeyError, IndexError, zlib.error, MemoryError,
        OverflowError,
    ) as error:  # fmt: skip
        return f"{type(error).__name__}: {error}"


def _parted(content: bytes) -> tuple[dict[str, str], bytes]:
    """Return the fields, and what follows the last of them."""
    fields: dict[str, str] = {}
    while content:
        line, _, content = content.partition(b"\n")
        key, separator, value = line.decode("utf-8", "replace").partition("=")
        key, value = key.strip(), value.strip()
        if not separator:
            raise UndefinedError(f"a line without =: {key[:30]}")
        if key in fields and fields[key] != value:
            raise UndefinedError(f"{key} twice")
        fields[key] = value
        if key == "ElementDataFile":
            return fields, content
    raise UndefinedError("no ElementDataFile")


def _row(fields: dict[str, str], keys: tuple[str, ...], count: int) -> np.ndarray | None:
    """Return the numbers of one of several names of a field, which must agree."""
    rows = [[float(word) for word in fields[key].split()] for key in keys if key in fields]
    if any(len(row) != count for row in rows):
        raise UndefinedError(f"{keys}: {rows}, not {count} numbers")
    if any(not np.allclose(row, rows[0]) for row in rows):
        raise UndefinedError(f"{keys} say different things: {rows}")
    return np.array(rows[0]) if rows else None


def _affine(fields: dict[str, str]) -> np.ndarray:
    if fields.get("ObjectType", "Image") != "Image":
        raise UndefinedError(f"an object {fields['ObjectType']}")
    if fields.get("NDims", "3") != "3":
        raise UndefinedError(f"NDims {fields.get('NDims')}")
    spacing = _row(fields, ("ElementSpacing",), 3)
    if spacing is None:
        spacing = _row(fields, ("ElementSize",), 3)
    matrix = _row(fields, MATRICES, 9)
    if spacing is None or matrix is None:
        raise UndefinedError("no spacing or no orientation")
    if not (spacing > 0).all() or not np.isfinite(spacing).all():
        raise UndefinedError(f"spacing {spacing}")
    origin = _row(fields, ORIGINS, 3)
    units = {"mm": 1.0, "MM": 1.0, "um": 1e-3, "cm": 10.0, "?": 1.0, "": 1.0}
    unit = units.get(fields.get("DistanceUnits", ""))
    if unit is None:
        raise UndefinedError(f"DistanceUnits {fields['DistanceUnits']}")
    origin = np.zeros(3) if origin is None else origin
    axes = matrix.reshape(3, 3).T
    affine = affine_of(spacing * unit, origin * unit, axes)
    axes_of(affine)
    if not np.allclose(np.linalg.norm(axes, axis=0), 1, atol=1e-3):
        raise UndefinedError("directions of another length than 1, and a spacing")
    return affine


def _values(path: Path, fields: dict[str, str], voxels: bytes) -> np.ndarray:
    size = [int(word) for word in fields["DimSize"].split()]
    if len(size) != 3 or min(size) < 2 or fields.get("ElementNumberOfChannels", "1") != "1":
        raise UndefinedError(f"sizes {size} of {fields.get('ElementNumberOfChannels')} channels")
    msb = [fields[k] for k in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB") if k in fields]
    if len({word.lower() for word in msb}) > 1 or {word.lower() for word in msb} - TRUTHS:
        raise UndefinedError(f"byte order {msb}")
    name = fields["ElementDataFile"]
    if name.upper() not in ("LOCAL", "LOCAL "):
        voxels = (path.parent / name).read_bytes()
    skipped = int(fields.get("HeaderSize", "0"))
    kind = np.dtype(TYPES[fields["ElementType"]]).newbyteorder("<>"[msb[:1] == ["True"]])
    count = int(np.prod(size, dtype=object))
    if skipped > 0:
        voxels = voxels[skipped:]
    elif skipped == -1:
        voxels = voxels[-count * kind.itemsize :]
    if fields.get("BinaryData", "True").lower() not in ("true", "1"):
        raise UndefinedError("voxels as text")
    if fields.get("CompressedData", "False").lower() in ("true", "1"):
        told = int(fields.get("CompressedDataSize", len(voxels)))
        # A size beyond the file's end is a file that was cut.
        unpacked = zlib.decompressobj()
        if told > len(voxels) or told < 0:
            raise UndefinedError(f"{told} bytes announced of {len(voxels)}")
        voxels = unpacked.decompress(voxels[: told or None])
        if not unpacked.eof:
            raise UndefinedError("compressed voxels end early")
    values = np.frombuffer(voxels, kind, count).reshape(size, order="F").astype(np.float64)
    slope = float(fields.get("ElementToIntensityFunctionSlope", "1"))
    return values * slope + float(fields.get("ElementToIntensityFunctionOffset", "0"))


TRUTHS = {"true", "false", "1", "0"}
