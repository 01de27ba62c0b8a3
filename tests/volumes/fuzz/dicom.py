"""DICOM: tags of some or all slices altered; pydicom is the independent reader."""

import io
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from fuzz.common import (
    POISON,
    Alteration,
    Reading,
    Scan,
    UndefinedError,
    appended,
    axes_of,
    changed_byte,
    pick,
    random_scan,
    replaced_by,
    truncated,
)

ROOT = "1.2.826.0.1.3680043.2.1125."
SERIES = ROOT + "7.1"
TOPICS = {
    "PixelSpacing": ("spacing",), "ImagePositionPatient": ("origin", "spacing"),
    "ImageOrientationPatient": ("orientation",), "RescaleSlope": ("values",),
    "RescaleIntercept": ("values",), "Rows": ("size",), "Columns": ("size",),
    "BitsAllocated": ("type", "length"), "BitsStored": ("type",), "HighBit": ("type",),
    "PixelRepresentation": ("type", "values"), "SamplesPerPixel": ("colour", "type", "size"),
    "PhotometricInterpretation": ("colour", "type", "values"), "NumberOfFrames": ("size",),
    "SliceThickness": ("spacing",), "SpacingBetweenSlices": ("spacing",),
    "InstanceNumber": ("number", "series"), "SeriesInstanceUID": ("series",),
    "ImagerPixelSpacing": ("spacing",),
}  # fmt: skip
WORDS = ("PhotometricInterpretation", "SeriesInstanceUID", "ImagerPixelSpacing")
NUMBERS = [key for key in TOPICS if key not in WORDS]


@dataclass
class Draft:
    """A valid series that is not yet written."""

    scan: Scan
    slices: list[Dataset]
    syntax: str
    names: list[str]
    preamble: bool = True
    extra: dict[str, bytes] = field(default_factory=dict)


def draft(random: np.random.Generator, scan: Scan | None = None) -> Draft:
    scan = scan or random_scan(random, ("int16", "uint16"))
    scan.notes["slope"], scan.notes["intercept"] = slope, intercept = pick(
        random, [(1.0, 0.0), (1.0, -1024.0), (0.5, 10.0), (2.25, -1000.5)]
    )
    scan.spacing_mm = scan.spacing_mm.round(4)
    slices = [_slice(scan, z, slope, intercept) for z in range(scan.values.shape[2])]
    scan.values = scan.values.astype(np.float64) * slope + intercept
    syntax = pick(random, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    names = [f"i{z}.dcm" for z in random.permutation(len(slices))]
    return Draft(scan, slices, syntax, names)


def _slice(scan: Scan, z: int, slope: float, intercept: float) -> Dataset:
    position = (scan.affine @ [0, 0, z, 1])[:3]
    one = Dataset()
    one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, f"{ROOT}8.{z + 1}"
    one.SeriesInstanceUID, one.StudyInstanceUID = SERIES, ROOT + "6"
    one.FrameOfReferenceUID = ROOT + "5"
    one.Modality, one.PatientName, one.PatientID = "CT", "Phantom^One", "P1"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    one.InstanceNumber = z + 1
    one.ImagePositionPatient = [f"{p:.8g}" for p in position]
    axes = [*scan.direction[:, 0], *scan.direction[:, 1]]
    one.ImageOrientationPatient = [f"{a:.10f}" for a in axes]
    one.PixelSpacing = [f"{s:g}" for s in (scan.spacing_mm[1], scan.spacing_mm[0])]
    one.SliceThickness = f"{scan.spacing_mm[2]:g}"
    one.Rows, one.Columns = scan.values.shape[1], scan.values.shape[0]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit = 15
    one.PixelRepresentation = int(scan.values.dtype.kind == "i")
    one.RescaleSlope, one.RescaleIntercept = f"{slope:g}", f"{intercept:g}"
    one.add_new("PixelData", "OW", scan.values[:, :, z].T.astype("<i2").tobytes())
    return one


def write(draft: Draft, folder: Path) -> Path:
    series = folder / "series"
    series.mkdir(exist_ok=True)
    for name, one in zip(draft.names, draft.slices, strict=True):
        (series / name).write_bytes(_bytes(one, draft.syntax, draft.preamble))
    for name, content in draft.extra.items():
        (series / name).write_bytes(content)
    return series


def _bytes(one: Dataset, syntax: str, preamble: bool) -> bytes:
    written = io.BytesIO()
    one = deepcopy(one)
    if preamble:
        one.file_meta = FileMetaDataset()
        one.file_meta.MediaStorageSOPClassUID = one.get("SOPClassUID", CTImageStorage)
        one.file_meta.MediaStorageSOPInstanceUID = one.get("SOPInstanceUID", ROOT + "1")
        one.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(written, one, enforce_file_format=True)
    else:
        pydicom.dcmwrite(written, one, implicit_vr=True, little_endian=True)
    content = written.getvalue()
    for key in NUMBERS:
        tag = pydicom.datadict.tag_for_keyword(key)
        start = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
        kind = pydicom.datadict.dictionary_VR(tag).encode()
        content = content.replace(start + b"LO", start + kind)
    return content


def alter(random: np.random.Generator, draft: Draft, number: int) -> Alteration:
    if number < 40:
        return _to_a_file(f"truncated at {number // 2 * 5} %", ("length", "header", "series",
                          "origin"), truncated(number // 2 * 5), random)  # fmt: skip
    return pick(random, ALTERATIONS)(random, draft)


def _to_a_file(
    name: str, topics: tuple[str, ...], change: Callable[[Path], None], random: np.random.Generator
) -> Alteration:
    which = float(random.random())

    def after(path: Path) -> None:
        files = sorted(path.glob("*.dcm"))
        change(files[int(which * len(files))])

    return Alteration(name, topics, after=after)


def _some(random: np.random.Generator, draft: Draft) -> tuple[list[Dataset], str]:
    """One slice, or all."""
    if random.random() < 0.5:
        return draft.slices, "of all slices"
    z = int(random.integers(len(draft.slices)))
    return [draft.slices[z]], f"of slice {z}"


def _put(one: Dataset, key: str, text: str) -> None:
    """Set a tag to a text that may be no valid value, as other programs do."""
    if key in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
               "PixelRepresentation"):  # fmt: skip
        one.add_new(key, "US", int(np.clip(np.nan_to_num(_float(text)), 0, 65535)))
        return
    # pydicom writes no number that is none: written as text, and then given its own kind.
    one.add(DataElement(pydicom.datadict.tag_for_keyword(key), "LO", text.split("\\")))


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _number(random: np.random.Generator, draft: Draft) -> Alteration:
    key = pick(random, NUMBERS)
    some, which = _some(random, draft)
    old = some[0].get(key, 1)
    words = [str(v) for v in old] if isinstance(old, pydicom.multival.MultiValue) else [str(old)]
    at = int(random.integers(len(words)))
    value = _float(words[at])
    what = pick(random, ["poison", "poison", "exchanged", "count", "text"])
    if what == "poison":
        new = pick(random, [*POISON, -value, 2 * value, value * 1.2, value + 1])
        changes = {at: f"{new:g}"}
    elif what == "exchanged" and len(words) > 1:
        other = (at + 1) % len(words)
        changes = {at: words[other], other: words[at]}
    elif what == "count":
        changes = {len(words): "1"}
    else:
        changes = {at: pick(random, ["", "x", "1,5", "1e400", "0x10"])}
    for one in some:
        of_slice = one.get(key, 1)
        many = isinstance(of_slice, pydicom.multival.MultiValue)
        own = [str(v) for v in of_slice] if many else [str(of_slice)]
        own = [changes.get(k, word) for k, word in enumerate(own)]
        own += [changes[k] for k in changes if k >= len(own)]
        _put(one, key, "\\".join(own))
    return Alteration(f"{key} {which} {changes}", (*TOPICS[key], "header"))


def _missing(random: np.random.Generator, draft: Draft) -> Alteration:
    key = pick(random, [*TOPICS, "PixelData", "Modality", "SOPInstanceUID", "SOPClassUID"])
    some, which = _some(random, draft)
    for one in some:
        if key in one:
            delattr(one, key)
    return Alteration(f"{key} missing {which}", (*TOPICS.get(key, ("header",)), "header", "series"))


def _word(random: np.random.Generator, draft: Draft) -> Alteration:
    key, words = pick(random, [
        ("PhotometricInterpretation", ["MONOCHROME1", "PALETTE COLOR", "RGB", "YBR_FULL", "x"]),
        ("SeriesInstanceUID", [SERIES + ".9"]), ("FrameOfReferenceUID", [ROOT + "55"]),
        ("PatientID", ["P2"]), ("Modality", ["MR", "SR", "PT"]),
        ("StudyInstanceUID", [ROOT + "66"]), ("PatientOrientation", ["A\\F"]),
        ("ImagerPixelSpacing", [["9", "9"]]),
    ])  # fmt: skip
    some, which = _some(random, draft)
    for one in some:
        setattr(one, key, pick(random, words))
    if key == "PhotometricInterpretation" and some[0][key].value == "MONOCHROME1":
        return Alteration(f"MONOCHROME1 {which}", ("values", "type", "colour", "series"))
    return Alteration(f"{key} {some[0][key].value} {which}", (*TOPICS.get(key, ()), "series"))


def _harmless(random: np.random.Generator, draft: Draft) -> Alteration:
    """What a scan may have without a change of its meaning."""
    what = pick(random, ["window", "padding", "umlaut", "umlaut without its set", "private",
                         "order", "big-endian", "no preamble", "monochrome 1", "numbers", "slope",
                         "rounded"])  # fmt: skip
    tolerance = 1e-4
    for z, one in enumerate(draft.slices):
        if what == "window":
            one.WindowCenter, one.WindowWidth = "40", "400"
        elif what == "padding":
            one.add_new("PixelPaddingValue", "SS" if one.PixelRepresentation else "US", 0)
        elif what == "umlaut":
            one.SpecificCharacterSet = pick(random, ["ISO_IR 100", "ISO_IR 192"])
            one.PatientName = "Müller^Jörg"
        elif what == "umlaut without its set":
            one.PatientName = "Müller".encode("latin-1")
        elif what == "private":
            block = one.private_block(0x11, "A maker", create=True)
            block.add_new(1, "LO", "something")
        elif what == "monochrome 1":
            one.PhotometricInterpretation = "MONOCHROME1"
        elif what == "numbers":
            one.InstanceNumber = 100 - z
        elif what == "slope":
            # Each slice has a slope of its own, as in PET.
            one.RescaleSlope = f"{1 + z}"
            values = np.frombuffer(one.PixelData, "<i2" if one.PixelRepresentation else "<u2")
            plane = values.reshape(one.Rows, one.Columns).T.astype(float)
            draft.scan.values[:, :, z] = plane * (1 + z) + float(one.RescaleIntercept)
        elif what == "rounded":
            one.ImagePositionPatient = [f"{float(p):.2f}" for p in one.ImagePositionPatient]
            tolerance = 0.012
    if what == "order":
        draft.names = [f"{name[1:-4]}" for name in draft.names]
    if what == "big-endian":
        draft.syntax = ExplicitVRBigEndian
        for one in draft.slices:
            one.PixelData = np.frombuffer(one.PixelData, "<i2").astype(">i2").tobytes()
    draft.preamble = what != "no preamble"
    return Alteration(what, harmless=True, tolerance_mm=tolerance)


def _stack(random: np.random.Generator, draft: Draft) -> Alteration:
    """Slices that are missing, doubled, uneven or shifted."""
    what = pick(random, ["one missing", "first missing", "one twice", "each twice", "uneven",
                         "tilted", "one left", "two scans", "same position"])  # fmt: skip
    z = int(random.integers(1, len(draft.slices) - 1))
    if what == "one missing":
        del draft.slices[z], draft.names[z]
    elif what == "first missing":
        del draft.slices[0], draft.names[0]
        draft.scan.origin_mm = (draft.scan.affine @ [0, 0, 1, 1])[:3]
        draft.scan.values = draft.scan.values[:, :, 1:]
        return Alteration(what, harmless=True)
    elif what in ("one twice", "each twice"):
        again = [deepcopy(one) for one in (draft.slices if what[0] == "e" else draft.slices[:1])]
        for one in again if random.random() < 0.5 else []:
            one.SOPInstanceUID += ".2"
        draft.slices += again
        draft.names += [f"t{k}.dcm" for k in range(len(again))]
    elif what in ("uneven", "tilted", "same position"):
        draft.slices = [_moved(one, k, z, what, draft.scan) for k, one in enumerate(draft.slices)]
    elif what == "one left":
        draft.slices, draft.names = draft.slices[:1], draft.names[:1]
    else:
        for one in draft.slices[: len(draft.slices) // 2]:
            one.SeriesInstanceUID += ".3"
    return Alteration(what, ("series", "spacing", "orientation"))


def _moved(one: Dataset, k: int, z: int, what: str, scan: Scan) -> Dataset:
    along = scan.direction[:, 2] * scan.spacing_mm[2]
    position = np.array([float(p) for p in one.ImagePositionPatient])
    if what == "uneven" and k == z:
        position = position + 0.3 * along
    elif what == "tilted":
        position = position + 0.3 * k * scan.spacing_mm[2] * scan.direction[:, 1]
    elif what == "same position":
        position = scan.origin_mm
    one.ImagePositionPatient = [f"{p:.8g}" for p in position]
    return one


def _other_object(random: np.random.Generator, draft: Draft) -> Alteration:
    """A report, a preview or another file beside the series."""
    what = pick(random, ["report", "text", "DICOMDIR", "hidden", "localizer"])
    other = deepcopy(draft.slices[0])
    other.SeriesInstanceUID, other.SOPInstanceUID = SERIES + ".5", ROOT + "8.99"
    if what == "report":
        other.SOPClassUID, other.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "SR"
        for key in ("PixelData", "Rows", "Columns", "ImagePositionPatient", "PixelSpacing",
                    "ImageOrientationPatient", "BitsAllocated", "RescaleSlope"):  # fmt: skip
            delattr(other, key)
        draft.extra = {"report.dcm": _bytes(other, draft.syntax, True)}
    elif what == "localizer":
        other.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        other.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
        draft.extra = {"scout.dcm": _bytes(other, draft.syntax, True)}
        return Alteration("a localizer beside the series", ("series",))
    else:
        names = {"text": "notes.txt", "DICOMDIR": "DICOMDIR", "hidden": "._i1.dcm"}
        draft.extra = {names[what]: b"nothing to read" * 20}
    return Alteration(f"{what} beside the series", harmless=True)


def _other_bytes(random: np.random.Generator, draft: Draft) -> Alteration:
    what = pick(random, ["appended", "replaced", "empty", "byte", "header byte", "header byte",
                         "syntax"])  # fmt: skip
    if what == "appended":
        return _to_a_file("bytes appended", ("length", "header"), appended(b"\0junk" * 9), random)
    if what == "replaced":
        return _to_a_file("an HTML page", ("header", "encoding", "length", "origin"),
                          replaced_by(b"<html>404 not found</html>\n" * 40), random)  # fmt: skip
    if what == "empty":
        return _to_a_file("an empty file", ("length", "header", "origin"), replaced_by(b""), random)
    if what == "syntax":
        draft.syntax = pick(random, ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.3"])
        return _syntax_of_bytes(draft)
    return _to_a_file("a byte", (), changed_byte(random, 128 if "h" in what else 0, 900), random)


def _syntax_of_bytes(draft: Draft) -> Alteration:
    """The files say that they are compressed, and are not."""
    said, draft.syntax = draft.syntax, ExplicitVRLittleEndian
    other = said.encode().ljust(20, b"\0")

    def after(path: Path) -> None:
        true = b"1.2.840.10008.1.2.1\0"
        for file in path.glob("*.dcm"):
            content = file.read_bytes()
            if len(other) == len(true):
                file.write_bytes(content.replace(true, other, 1))
            else:
                at = content.index(true) - 2
                long = len(other).to_bytes(2, "little") + other
                file.write_bytes(content[:at] + long + content[at + 22 :])

    return Alteration(f"transfer syntax {said}", ("encoding", "header", "length"), after=after)


ALTERATIONS = (
    *[_number] * 10, *[_missing] * 4, *[_word] * 3, *[_harmless] * 4, *[_stack] * 4,
    *[_other_object] * 2, *[_other_bytes] * 4,
)  # fmt: skip


def independent(path: Path) -> Reading | UndefinedError | str:
    """Read with pydicom, and the geometry by the standard's tags."""
    try:
        return _series([one for one in map(_dataset, sorted(path.iterdir())) if one is not None])
    except UndefinedError as reason:
        return reason
    except Exception as error:
        # Of a damaged file pydicom raises whatever its first wrong step makes.
        return f"{type(error).__name__}: {error}"


def _dataset(file: Path) -> Dataset | None:
    if file.name.startswith(".") or file.name.upper() == "DICOMDIR" or file.suffix == ".txt":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = pydicom.dcmread(file, force=True)
        # A report holds no image, and a localizer is one beside the series.
        if one.get("Modality") == "SR" and "PixelData" not in one:
            return None
        if "LOCALIZER" in one.get("ImageType", []):
            return None
        if "TransferSyntaxUID" not in one.file_meta:
            one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        return one


def _series(slices: list[Dataset]) -> Reading:
    if len(slices) < 2:
        raise UndefinedError("a single slice")
    first = slices[0]
    if len({str(one.get("SeriesInstanceUID")) for one in slices}) > 1:
        raise UndefinedError("several series")
    axes = np.array([_floats(one, "ImageOrientationPatient", 6) for one in slices])
    pixel = np.array([_floats(one, "PixelSpacing", 2) for one in slices])
    positions = np.array([_floats(one, "ImagePositionPatient", 3) for one in slices])
    if not np.allclose(axes, axes[0], atol=2e-3) or not np.allclose(pixel, pixel[0], rtol=1e-3):
        raise UndefinedError("slices differ in orientation or pixel spacing")
    if not (pixel[0] > 0).all():
        raise UndefinedError(f"pixel spacing {pixel[0]}")
    if len({(one.Rows, one.Columns) for one in slices}) > 1:
        raise UndefinedError("slices differ in size")
    row, column = axes[0, :3], axes[0, 3:]
    normal = np.cross(row, column)
    axes_of(_affine(row, column, normal, (1, 1, 1), (0, 0, 0)))
    if not np.allclose([np.linalg.norm(row), np.linalg.norm(column)], 1, atol=1e-3):
        raise UndefinedError("directions of another length than 1")
    order = np.argsort(positions @ normal)
    spacing, origin = _grid_of(positions[order], normal)
    for one in slices:
        told = one.get("SpacingBetweenSlices")
        if told not in (None, "") and not np.isclose(float(told), spacing, rtol=0.05, atol=0.02):
            raise UndefinedError(f"SpacingBetweenSlices {told}, positions {spacing}")
        if one.get("NumberOfFrames") not in (None, "", 1):
            raise UndefinedError(f"{one.NumberOfFrames} frames")
    sizes = (pixel[0, 1], pixel[0, 0], spacing)
    values = [_values(slices[k]) for k in order]
    if len({v.shape for v in values}) > 1 or first.Rows < 2 or first.Columns < 2:
        raise UndefinedError("no volume")
    return Reading(np.stack(values, axis=-1), _affine(row, column, normal, sizes, origin))


def _affine(row, column, normal, sizes, origin) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([row, column, normal]) * sizes
    affine[:3, 3] = origin
    return affine


def _grid_of(positions: np.ndarray, normal: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit equal steps along the normal; positions may be rounded to 0.01 mm."""
    along = positions @ normal
    count = np.arange(len(along))
    spacing, start = np.polyfit(count, along, 1)
    if not spacing > 0.001:
        raise UndefinedError(f"slices {spacing} mm apart")
    allowed = max(0.012, 0.05 * spacing)
    if np.abs(along - (start + spacing * count)).max() > allowed:
        raise UndefinedError(f"uneven slices at {along}")
    across = positions - np.outer(along, normal)
    if np.linalg.norm(across - across[0], axis=1).max() > allowed:
        raise UndefinedError("slices shifted sideways")
    return float(spacing), positions[0]


def _floats(one: Dataset, key: str, count: int) -> np.ndarray:
    numbers = one.get(key)
    if numbers is None or isinstance(numbers, str) or not hasattr(numbers, "__len__"):
        raise UndefinedError(f"{key} {numbers}")
    found = np.array([float(n) for n in numbers])
    if len(found) != count or not np.isfinite(found).all():
        raise UndefinedError(f"{key} {numbers}")
    return found


def _values(one: Dataset) -> np.ndarray:
    if one.SamplesPerPixel != 1 or not str(one.PhotometricInterpretation).startswith("MONOCHROME"):
        raise UndefinedError(f"{one.PhotometricInterpretation}, {one.SamplesPerPixel} samples")
    if one.BitsStored > one.BitsAllocated or one.HighBit != one.BitsStored - 1:
        raise UndefinedError(
            f"{one.BitsStored} bits of {one.BitsAllocated}, high bit {one.HighBit}"
        )
    if one.PixelRepresentation not in (0, 1):
        raise UndefinedError(f"PixelRepresentation {one.PixelRepresentation}")
    slope, intercept = one.get("RescaleSlope"), one.get("RescaleIntercept")
    if (slope in (None, "")) != (intercept in (None, "")):
        raise UndefinedError("a rescale slope or intercept without the other")
    slope = 1.0 if slope in (None, "") else float(slope)
    intercept = 0.0 if intercept in (None, "") else float(intercept)
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        raise UndefinedError(f"slope {slope}, intercept {intercept}")
    expected = one.Rows * one.Columns * one.BitsAllocated // 8
    if len(one.PixelData) > expected + 1:
        raise UndefinedError(f"{len(one.PixelData)} bytes for {expected}")
    return one.pixel_array.T.astype(np.float64) * slope + intercept


def second(path: Path) -> np.ndarray | None:
    """Return the values as GDCM reads them, by place in space; None where it has another rule.

    GDCM inverts MONOCHROME1, and takes every file of a folder; what it cannot read tells nothing.
    """
    files = sorted(path.glob("i*"))
    planes = {}
    try:
        for file in files:
            reader = sitk.ImageFileReader()
            reader.SetImageIO("GDCMImageIO")
            reader.SetFileName(str(file))
            image = reader.Execute()
            if image.GetMetaData("0028|0004").strip() != "MONOCHROME2":
                return None
            axes = [float(part) for part in image.GetMetaData("0020|0037").split("\\")]
            place = [float(part) for part in image.GetMetaData("0020|0032").split("\\")]
            along = float(np.cross(axes[:3], axes[3:]) @ place)
            planes[along] = sitk.GetArrayFromImage(image)[0].T.astype(np.float64)
        return np.stack([planes[along] for along in sorted(planes)], axis=-1)
    except (RuntimeError, ValueError, IndexError):
        return None
