"""Writing a volume derived from a DICOM series as a series of the same patient and study."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.tag import BaseTag, Tag

from otosynth.volumes.formats.dicom_files import DicomFile, told
from otosynth.volumes.grids import Grid

# Of the scan's own series: whose it is, and in which study and frame it lies.
COPIED_TAGS = (
    "0008|0020",  # study date
    "0008|0030",  # study time
    "0008|0050",  # accession number
    "0008|0090",  # referring physician
    "0010|0010",  # patient's name
    "0010|0020",  # patient's identifier
    "0010|0030",  # birth date
    "0010|0040",  # sex
    "0020|000d",  # study instance UID
    "0020|0010",  # study identifier
    "0020|0052",  # frame of reference UID
)
CHARACTER_SET = "0008|0005"
# Begins letters of another character set in what otherwise is ASCII.
ESCAPE = b"\x1b"
DERIVATION = "0008|2111"
PREDICTED = "Predicted by a neural network (otosynth); not measured, not for diagnosis"
# 16 signed bits hold an intensity; the rescale slope gives it back. One level is left for rounding.
LARGEST_LEVEL = 2**15 - 2
# Bits allocated, bits stored, high bit, and signed.
SIGNED_16_BITS = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1"}


def tags_of(file: DicomFile) -> dict[str, str]:
    """Return what a derived series takes over from a slice of its source.

    Text in another character set than ASCII comes with that set's name.
    """
    found: dict[str, bytes] = {}
    for tag in COPIED_TAGS:
        with told(file.path):
            if _tag(tag) in file.tags:
                found[tag] = _bytes_of(file, tag)
    if all(text.isascii() and ESCAPE not in text for text in found.values()):
        # UIDs are filled up to even length by a null.
        return {tag: text.decode("ascii").rstrip("\0") for tag, text in found.items()}
    names = file.tags.get("SpecificCharacterSet") or ""
    character_set = names if isinstance(names, str) else "\\".join(names)
    texts = {tag: str(file.tags[_tag(tag)].value) for tag in found}
    return {**texts, CHARACTER_SET: character_set}


def _tag(text: str) -> BaseTag:
    return Tag(*(int(part, 16) for part in text.split("|")))


def _bytes_of(file: DicomFile, tag: str) -> bytes:
    """Return a tag's text as it lies in the file."""
    element = file.tags.get_item(_tag(tag))
    value = element.value
    return value if isinstance(value, bytes) else str(value or "").encode()


def fill_folder(image: sitk.Image, folder: Path, tags: Mapping[str, str], description: str) -> None:
    """Write a derived CT series: secondary, described as synthetic, UIDs from its own bytes."""
    slope = _slope_of(image)
    # ITK divides by the slope only what is float64.
    stored = sitk.Cast(image, sitk.sitkInt16 if slope == 1.0 else sitk.sitkFloat64)
    digest = _digest_of(stored, tags, description)
    axes = np.reshape(image.GetDirection(), (3, 3))
    # ITK writes no other characters; they are put in afterwards.
    other = {tag: text for tag, text in tags.items() if not text.isascii()}
    ascii_tags = {tag: text.encode("ascii", "replace").decode() for tag, text in tags.items()}
    of_all = {DERIVATION: PREDICTED, **ascii_tags} | {
        "0008|0008": "DERIVED\\SECONDARY\\AXIAL",
        "0008|0060": "CT",
        "0008|103e": description[:64],
        "0018|0050": f"{image.GetSpacing()[2]:.6f}",
        "0020|000e": _uid(digest, "series"),
        "0020|0011": "9000",
        "0020|0037": "\\".join(f"{v:.10f}" for v in (*axes[:, 0], *axes[:, 1])),
        "0028|1052": "0",
        "0028|1053": f"{slope:.9g}",
    }
    of_all |= SIGNED_16_BITS
    # Else GDCM writes the time of now, and the bytes differ each time.
    for time in ("0008|0020", "0008|0030"):
        of_all.setdefault(time, "")
    of_all.setdefault("0020|000d", _uid(digest, "study"))
    of_all.setdefault("0020|0052", _uid(digest, "frame"))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(stored.GetDepth()):
        one = stored[:, :, z : z + 1]
        position = image.TransformIndexToPhysicalPoint((0, 0, z))
        of_slice = {
            "0008|0018": _uid(digest, f"slice {z}"),
            "0020|0013": str(z + 1),
            "0020|0032": "\\".join(f"{v:.8g}" for v in position),
        }
        for tag, text in (of_all | of_slice).items():
            one.SetMetaData(tag, text)
        writer.SetFileName(str(folder / f"{z:04}.dcm"))
        writer.Execute(one)
        if other:
            _write_texts(folder / f"{z:04}.dcm", other, tags.get(CHARACTER_SET, ""))


def _write_texts(path: Path, texts: Mapping[str, str], character_set: str) -> None:
    """Put texts into a slice as its source has them, so that the patient is the same."""
    slice_ = pydicom.dcmread(path)
    if character_set:
        slice_.SpecificCharacterSet = character_set.split("\\")
    for tag, text in texts.items():
        slice_[_tag(tag)].value = text
    slice_.save_as(path)


def _digest_of(image: sitk.Image, tags: Mapping[str, str], description: str) -> str:
    """Return what a series' UIDs are made of: all that it shows, where, and of whom.

    The place is part of it: the masks of both ears of a patient may hold the same voxels.
    """
    grid = Grid.of(image)
    said = json.dumps([description, sorted(tags.items()), vars(grid)])
    voxels = sitk.GetArrayViewFromImage(image).tobytes()
    return hashlib.sha256(said.encode() + voxels).hexdigest()


def _slope_of(image: sitk.Image) -> float:
    """Return the step in which 16 signed bits hold a volume's values; 1 for classes.

    GDCM takes no intercept that is not whole, so the steps are those of the largest value.
    """
    values = sitk.GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.integer):
        return 1.0
    largest = max(float(np.abs(values).max()), 1e-9)
    # As DICOM's text will say it, so that reading gives back the same values.
    return float(f"{largest / LARGEST_LEVEL:.9g}")


def _uid(digest: str, what: str) -> str:
    """Return a DICOM UID of the form 2.25.<UUID as a number>, a function of the arguments."""
    number = int(hashlib.sha256(f"{digest}/{what}".encode()).hexdigest()[:32], 16)
    return f"2.25.{number}"
