"""DICOM files of a folder: which of them are images of the one series, and what else lies there.

pydicom reads the files: it names each tag, knows each transfer syntax and character set, and
tells what is wrong. A file counts as DICOM by its signature, its ending, or, as older exports have
neither, by the tags at its start.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset

from otosynth.errors import InputError

ENDINGS = (".dcm", ".ima")
# Values longer than this are left in the file while headers are read.
HEADER_BYTES = 4096
SIGNATURE_AT, SIGNATURE = 128, b"DICM"
UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
DEFLATED = "1.2.840.10008.1.2.1.99"
# Folders beside a scan's in which the rest of a split series is looked for.
MOST_FOLDERS = 64


@dataclass(frozen=True, eq=False)
class DicomFile:
    """The tags of one file, without its pixels."""

    path: Path
    tags: FileDataset

    @property
    def series(self) -> str:
        """UID of the series, or ``none``."""
        return str(self.tags.get("SeriesInstanceUID", "none")).strip() or "none"

    @property
    def kind(self) -> str:
        """Name of what the file holds, such as ``CT Image Storage``."""
        uid = self.tags.get("SOPClassUID") or self.tags.file_meta.get("MediaStorageSOPClassUID")
        return pydicom.uid.UID(uid).name if uid else "unknown"

    @property
    def has_pixels(self) -> bool:
        """Whether grey values or colours are in the file."""
        return "PixelData" in self.tags


@dataclass(frozen=True)
class Series:
    """The images of one series, in the order of their names, and what lay beside them."""

    images: tuple[DicomFile, ...]
    # Objects without pixels that call themselves images: parts of the stack, if it lacks any.
    empty: tuple[DicomFile, ...]
    remarks: tuple[str, ...]


def dicom_files(folder: Path) -> list[Path]:
    """List the DICOM files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_dicom(path))


def is_dicom(path: Path) -> bool:
    """Tell by signature, ending or first tag whether a file is DICOM.

    Raises
    ------
    InputError
        If it may not be read.
    """
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    if path.suffix.lower() in ENDINGS:
        return True
    with told(path), path.open("rb") as stream:
        start = stream.read(SIGNATURE_AT + len(SIGNATURE))
    return start[SIGNATURE_AT:] == SIGNATURE or _is_bare(start)


def _is_bare(start: bytes) -> bool:
    """Tell whether a file starts with a tag of group 8 or 2 as a data set without preamble does."""
    if start[:2] not in (b"\x08\0", b"\0\x08", b"\x02\0"):
        return False
    order: Literal["big", "little"] = "big" if start[:2] == b"\0\x08" else "little"
    element = int.from_bytes(start[2:4], order)
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    implicit = int.from_bytes(start[4:8], order) <= 256
    return element <= 0x18 and (explicit or implicit)


def read_tags(path: Path) -> DicomFile:
    """Read a file's tags.

    Raises
    ------
    InputError
        If it is no DICOM file, is truncated, or may not be read.
    """
    with told(path):
        tags = pydicom.dcmread(path, defer_size=HEADER_BYTES, force=True)
        if _syntax(tags) == DEFLATED:
            # What was unpacked cannot be read later from where it lay.
            tags = pydicom.dcmread(path, force=True)
    if len(tags) == 0 or ("SOPClassUID" not in tags and "Rows" not in tags):
        raise InputError(
            f"{path}: is no DICOM file, or is truncated; copy it again or take it out of the "
            "folder."
        )
    file = DicomFile(path, tags)
    _refuse_truncated(file)
    return file


def _syntax(tags: FileDataset) -> str:
    return str(tags.file_meta.get("TransferSyntaxUID", ""))


def _refuse_truncated(file: DicomFile) -> None:
    """Compare where the last element, which is most often the pixels, ends with the file's size."""
    last = max(file.tags.keys())
    element = file.tags.get_item(last, keep_deferred=True)
    if not isinstance(element, RawDataElement) or _syntax(file.tags) == DEFLATED:
        return
    size_bytes, end = file.path.stat().st_size, element.value_tell + element.length
    if element.length != UNDEFINED_LENGTH and end > size_bytes:
        what = "pixels end" if last == PIXEL_DATA else "header goes on"
        raise InputError(
            f"{file.path}: is truncated: {size_bytes} bytes where its {what} "
            f"{'at' if last == PIXEL_DATA else 'to'} byte {end}; copy it again."
        )


@contextmanager
def told(path: Path, what: str = "cannot be read as DICOM") -> Iterator[None]:
    """Turn what goes wrong while a DICOM file is read into a message; pydicom's warnings go."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permission denied).") from error
    except EOFError as error:
        raise InputError(f"{path}: is truncated; copy it again.") from error
    # Damaged bytes raise errors of a dozen kinds.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise InputError(f"{path}: {what} ({reason}); copy or export it again.") from error


def one_series(folder: Path, files: Sequence[DicomFile]) -> Series:
    """Choose the images of the one series; say what else there is.

    Set aside are objects without pixels (reports, key images), overviews (localizers), colour
    images, and captures of the screen where there are others.

    Raises
    ------
    InputError
        If no image, or more than one series, remains.
    """
    remarks: list[str] = []
    images = [file for file in files if file.has_pixels and "Rows" in file.tags]
    empty = [file for file in files if file not in images and _calls_itself_image(file)]
    beside = [file for file in files if file not in images and file not in empty]
    for file in beside:
        _refuse_nameless(file)
    if beside:
        remarks.append(_left_out(beside, "no image"))
    for reason, is_other in OTHERS:
        others = [file for file in images if is_other(file)]
        if others and len(others) < len(images):
            remarks.append(_left_out(others, reason))
            images = [file for file in images if file not in others]
    if not images:
        kinds = ", ".join(sorted({file.kind for file in files}))
        raise InputError(f"{folder}: its DICOM files hold no image ({kinds}); name a CT series.")
    series = sorted({file.series for file in images})
    if len(series) > 1:
        described = "; ".join(_described(name, images) for name in series)
        raise InputError(
            f"{folder}: holds {len(series)} DICOM series ({described}); keep one series per folder."
        )
    return Series(tuple(images), tuple(empty), tuple(remarks))


def _refuse_nameless(file: DicomFile) -> None:
    """Refuse what may be a slice that was cut or damaged: no object, and of no series."""
    if file.kind[:1].isdigit() and file.series == "none":
        raise InputError(
            f"{file.path}: is of no known kind ({file.kind}) and of no series, so it is damaged; "
            "copy it again, or take it out of the folder."
        )


def _calls_itself_image(file: DicomFile) -> bool:
    return "Image Storage" in file.kind or file.kind == "unknown"


def _is_no_picture(file: DicomFile) -> bool:
    known = not file.kind[:1].isdigit() and file.kind != "unknown"
    return known and "Image Storage" not in file.kind


def _is_overview(file: DicomFile) -> bool:
    kinds = file.tags.get("ImageType") or []
    return "LOCALIZER" in [str(kind).upper() for kind in kinds]


def _is_colour(file: DicomFile) -> bool:
    # Another number is damage of what may be a slice.
    return file.tags.get("SamplesPerPixel") in (3, 4)


def _is_capture(file: DicomFile) -> bool:
    return "Secondary Capture" in file.kind


# Images that are no slices, where others are there; what is said of them.
OTHERS: tuple[tuple[str, Callable[[DicomFile], bool]], ...] = (
    ("no image of intensities", _is_no_picture),
    ("an overview", _is_overview),
    ("in colour", _is_colour),
    ("a secondary capture", _is_capture),
)


def _left_out(files: Sequence[DicomFile], reason: str) -> str:
    names = ", ".join(file.path.name for file in files[:3])
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    kinds = ", ".join(sorted({file.kind for file in files}))
    return f"Left out as {reason}: {names}{more} ({kinds})."


def _described(series: str, images: Sequence[DicomFile]) -> str:
    its_own = [file for file in images if file.series == series]
    text = str(its_own[0].tags.get("SeriesDescription", "")).strip()
    return f"{series}: {len(its_own)} images{f', {text}' if text else ''}"


def folders_with_rest(folder: Path, series: str) -> list[Path]:
    """List folders within or beside a folder whose first DICOM file is of the same series."""
    try:
        beside = [*folder.iterdir(), *folder.absolute().parent.iterdir()]
        folders = sorted({p.resolve() for p in beside if p.is_dir()} - {folder.resolve()})
    except OSError:
        return []
    return [each for each in folders[:MOST_FOLDERS] if _first_series(each) == series]


def _first_series(folder: Path) -> str | None:
    try:
        for path in sorted(folder.iterdir()):
            if path.is_file() and is_dicom(path):
                return read_tags(path).series
    except (OSError, InputError):
        # What lies beside a scan is no reason to refuse it.
        return None
    return None


def value_of(tags: Any, keyword: str, path: Path) -> Any:
    """Return a tag's value; None if it is absent or empty.

    Raises
    ------
    InputError
        If its text is not what the tag's type asks for.
    """
    with told(path):
        value = tags.get(keyword)
    return None if value in (None, "") else value
