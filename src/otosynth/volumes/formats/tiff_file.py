"""TIFF files: every page is checked before one is read, and tifffile reads them.

ITK looks at the first page alone; where another differs it reads garbage, or the process dies.
Pixels are what is stored: photometric interpretation and grey look-up tables are for the screen.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import tifffile

from otosynth.errors import InputError
from otosynth.volumes.formats.tiff_sizes import Size, sizes_stated

UNCOMPRESSED, PALETTE, TOP_LEFT = 1, 3, 1
# White is 0, or black: it says how to show a value, not what it is.
GREY = (0, 1)
# What the TIFF tag Orientation says of where the first row and column are seen.
ORIENTATIONS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "upside down",
    5: "transposed",
    6: "turned by 90 degrees",
    7: "transposed and turned",
    8: "turned by 270 degrees",
}
# A damaged header may ask for any size; no detector has more pixels along an edge.
LONGEST_EDGE = 2**16
# An entry of a page's directory in BigTIFF, the longer one.
TAG_BYTES = 20
# So many bytes may follow a strip's pixels.
FILL_BYTES = 3


@dataclass(frozen=True)
class Pages:
    """The pages of a TIFF file that are slices, all of one size and kind.

    Attributes
    ----------
    path
        The file.
    shape
        Pages, rows, columns.
    kind
        Data type of the pixels as stored.
    numbers
        Which pages of the file, counted from 0; of a stack behind one page that page alone.
    sizes
        Voxel sizes that the file states.
    remarks
        What was left out, in words.
    """

    path: Path
    shape: tuple[int, int, int]
    kind: np.dtype
    numbers: tuple[int, ...]
    sizes: tuple[Size, ...]
    remarks: tuple[str, ...]


def pages_of(path: Path) -> Pages:
    """Check all pages of a TIFF file.

    Raises
    ------
    InputError
        If a page cannot be read, is in colour, or differs from the others.
    """
    with _opened(path) as file, _told(path):
        file.pages.useframes = False
        pages = cast(list[tifffile.TiffPage], list(file.pages))
        full, remarks = _without_thumbnails(path, pages)
        for number in full:
            _check_page(path, number, pages[number])
        first = pages[full[0]]
        for number in full[1:]:
            _check_alike(path, number, pages[number], first)
        count = _planes_behind(path, file, first) if len(full) == 1 else len(full)
        _refuse_channels(path, file, count)
        _check_places(path, pages, count // len(full))
        return Pages(
            path=path,
            shape=(count, first.imagelength, first.imagewidth),
            kind=np.dtype(first.dtype),
            numbers=tuple(full),
            sizes=sizes_stated(path, file, first),
            remarks=remarks,
        )


def read_pages(pages: Pages, rows: slice) -> np.ndarray:
    """Read some pages as float32 (pages, rows, columns).

    Raises
    ------
    InputError
        If one cannot be decoded.
    """
    _, height, width = pages.shape
    with _opened(pages.path) as file:
        file.pages.useframes = False
        if len(pages.numbers) == 1 and pages.shape[0] > 1:
            return _read_planes_behind(file, pages, rows)
        planes = np.empty((len(pages.numbers[rows]), height, width), np.float32)
        for plane, number in zip(planes, pages.numbers[rows], strict=True):
            with _told(pages.path, f"page {number + 1}"):
                plane[:] = file.pages[number].asarray(maxworkers=1).reshape(height, width)
    return planes


class _Complaints(logging.Handler):
    """Keeps what tifffile logs as errors, such as a broken chain of pages that it then cuts."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file; what tifffile only logs is an error, too."""
    complaints, log = _Complaints(), logging.getLogger("tifffile")
    passed_on = log.propagate
    log.addHandler(complaints)
    log.propagate = False
    opened_with = ExitStack()
    try:
        with _told(path):
            # tifffile leaves a file open that it could not read.
            stream = opened_with.enter_context(path.open("rb"))
            file = opened_with.enter_context(tifffile.TiffFile(stream))
        yield file
    except InputError:
        # What is wrong with the file as a whole says more than what is wrong with a page.
        if not complaints.texts:
            raise
    finally:
        opened_with.close()
        log.removeHandler(complaints)
        log.propagate = passed_on
    if complaints.texts:
        raise _damaged(path, complaints.texts[0])


@contextmanager
def _told(path: Path, what: str = "") -> Iterator[None]:
    """Turn what a reader raises on damaged bytes into a message."""
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permission denied).") from error
    except MemoryError as error:
        raise InputError(
            f"{path}: {what or 'it'} is too large for this machine's memory."
        ) from error
    # Decoders raise errors of a dozen kinds on damaged bytes, and some no more than Exception.
    except Exception as error:
        raise _damaged(path, f"{what}: {error}" if what else str(error)) from error


def _damaged(path: Path, reason: str) -> InputError:
    """Return an error with tifffile's reason, without the names of its objects."""
    shown = re.sub(r"<[^>]*> ?", "", (reason.strip() or "no reason given").splitlines()[0])[:160]
    beyond = re.search(r"invalid page offset (\d+)", shown)
    if beyond:
        return InputError(
            f"{path}: is truncated: {path.stat().st_size} bytes where a page is at byte "
            f"{beyond[1]}; copy it again."
        )
    said = "" if "IFD" in shown else f" ({shown})"
    return InputError(
        f"{path}: cannot be read as TIFF, so it is truncated, damaged or of another format{said}; "
        "copy it or export it again."
    )


def _without_thumbnails(
    path: Path, pages: list[tifffile.TiffPage]
) -> tuple[list[int], tuple[str, ...]]:
    """Return the numbers of the pages that are no reduced copy of another, and what is left out."""
    if not pages:
        raise InputError(f"{path}: holds no page; export it again.")
    largest = max(page.imagelength * page.imagewidth for page in pages)
    small = [
        number
        for number, page in enumerate(pages)
        if page.is_reduced and page.imagelength * page.imagewidth < largest
    ]
    full = [number for number in range(len(pages)) if number not in small]
    names = ", ".join(str(number + 1) for number in small)
    return full, (f"Left out as a thumbnail by its header: page {names}.",) if small else ()


def _check_page(path: Path, number: int, page: tifffile.TiffPage) -> None:
    """Refuse a page that is no plane of grey values, or whose pixels are not all in the file."""
    where = f"{path}: page {number + 1}"
    if page.samplesperpixel != 1:
        raise InputError(
            f"{where} has {page.samplesperpixel} values per voxel (colour, or several channels); "
            "give one grey value per voxel."
        )
    if page.photometric not in (*GREY, PALETTE):
        raise InputError(
            f"{where} stores colours (TIFF photometric interpretation {int(page.photometric)}), or "
            "its header is damaged; give one grey value per voxel."
        )
    if page.photometric == PALETTE and not _is_grey(page):
        raise InputError(
            f"{where} stores numbers of a palette's colours; save it as grey values (in ImageJ: "
            "Image, Lookup Tables, Grays)."
        )
    if page.dtype is None or page.dtype.kind not in "buif":
        raise InputError(
            f"{where} stores {page.bitspersample} bits a pixel of a kind that is no real number; "
            "save it as 8 or 16 bits, or as 32-bit float."
        )
    if not 0 < min(page.imagelength, page.imagewidth) <= LONGEST_EDGE:
        raise InputError(
            f"{where} states {page.imagewidth} x {page.imagelength} pixels, which cannot be; "
            "export it again."
        )
    if page.imagedepth > 1:
        raise InputError(
            f"{where} is itself {page.imagedepth} planes deep; save a page for each slice."
        )
    _check_orientation(where, page)
    _check_compression(where, page)
    _check_bytes(path, where, page)


def _check_orientation(where: str, page: tifffile.TiffPage) -> None:
    """Refuse a page that says it is to be turned or mirrored: programs differ in doing so."""
    orientation = page.tags.valueof("Orientation", TOP_LEFT)
    if orientation != TOP_LEFT:
        raise InputError(
            f"{where} says that its rows are {ORIENTATIONS.get(int(orientation), 'elsewhere')} "
            f"(TIFF orientation {int(orientation)}), which some programs follow and some do not, "
            "so left and right cannot be told; save it again with orientation 1."
        )


def _check_compression(where: str, page: tifffile.TiffPage) -> None:
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise InputError(
            f"{where} is compressed by {name}, which is not supported; save it uncompressed, "
            "or with LZW or deflate."
        )


def _check_bytes(path: Path, where: str, page: tifffile.TiffPage) -> None:
    """Compare where a page's pixels are to lie with the file's size."""
    size_bytes = path.stat().st_size
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    end = max((offset + count for offset, count in parts), default=0)
    if end > size_bytes:
        raise InputError(
            f"{path}: is truncated: {size_bytes} bytes where the pixels of page "
            f"{page.index + 1} end at byte {end}; copy it again."
        )
    wanted = int(np.prod(page.chunked))
    full = sum(count > 0 for _, count in parts)
    if not full == len(parts) == wanted:
        raise InputError(
            f"{where} has {full} strips or tiles of pixels and should have {wanted} by its size; "
            "export it again."
        )
    if page.compression == UNCOMPRESSED and not page.is_tiled:
        stored = sum(count for _, count in parts)
        needed = page.imagelength * -(-page.imagewidth * page.bitspersample // 8)
        beyond = stored - needed
        # Strips may be filled up to whole words; ImageJ counts the bytes of all its planes.
        if beyond < 0 or (beyond > FILL_BYTES * len(parts) and stored % needed):
            raise InputError(
                f"{where} has {stored} bytes of pixels, and {page.imagewidth} x "
                f"{page.imagelength} pixels of {page.bitspersample} bits take {needed}; "
                "export it again."
            )


def _is_grey(page: tifffile.TiffPage) -> bool:
    """Tell whether a palette only shows grey values as they are."""
    palette = page.colormap
    return bool(
        palette is not None
        and np.array_equal(palette[0], palette[1])
        and np.array_equal(palette[0], palette[2])
        and np.all(np.diff(palette[0].astype(int)) > 0)
    )


def _check_alike(
    path: Path, number: int, page: tifffile.TiffPage, first: tifffile.TiffPage
) -> None:
    if _looks(page) != _looks(first):
        raise InputError(
            f"{path}: page {number + 1} has {_looks(page)} and the first {_looks(first)}; all "
            "pages of a stack must be alike. Save the slices without thumbnails or other pictures."
        )


def _looks(page: tifffile.TiffPage) -> str:
    return f"{page.imagewidth} x {page.imagelength} pixels ({kind_in_words(page.dtype)})"


def kind_in_words(kind: np.dtype | None) -> str:
    """Return a data type as people call it: ``16 bits``, ``32-bit float``."""
    kind = np.dtype(kind)
    if kind.kind == "b":
        return "1 bit"
    if kind.kind == "f":
        return f"{8 * kind.itemsize}-bit float"
    return f"{8 * kind.itemsize} bits{', signed' if kind.kind == 'i' else ''}"


def _planes_behind(path: Path, file: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    """Count the planes that follow one page's without pages of their own; 1 if there are none.

    ImageJ writes stacks above 4 GB so, and tifffile where it is asked to.
    """
    count = _announced_planes(file, page)
    if count <= 1:
        return 1
    plane_bytes = page.imagelength * page.imagewidth * np.dtype(page.dtype).itemsize
    if page.compression != UNCOMPRESSED or page.is_tiled or np.dtype(page.dtype).kind == "b":
        raise InputError(
            f"{path}: announces {count} slices and has one page, and is compressed or tiled; "
            "save it with a page for each slice."
        )
    end = page.dataoffsets[0] + count * plane_bytes
    size_bytes = path.stat().st_size
    if size_bytes < end:
        raise InputError(
            f"{path}: is truncated: {size_bytes} bytes where its {count} slices end at byte "
            f"{end}; copy it again."
        )
    return count


def _announced_planes(file: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    if file.is_imagej:
        return int((file.imagej_metadata or {}).get("images", 1))
    text = page.shaped_description or ""
    if text.startswith("{"):
        described = json.loads(text)
        if described.get("truncated"):
            return int(np.prod(described["shape"])) // (page.imagelength * page.imagewidth)
    return 1


def _read_planes_behind(file: tifffile.TiffFile, pages: Pages, rows: slice) -> np.ndarray:
    count, height, width = pages.shape
    page = file.pages[pages.numbers[0]]
    stored = np.memmap(
        pages.path,
        pages.kind.newbyteorder(file.byteorder),
        "r",
        offset=page.dataoffsets[0],
        shape=(count, height, width),
    )
    return stored[rows].astype(np.float32)


def _check_places(path: Path, pages: list[tifffile.TiffPage], planes: int) -> None:
    """Refuse pages that share bytes, and a file with more pixels than its chain of pages leads to.

    A page's place that is wrong, or a chain that ends too early, gives a wrong volume otherwise.
    """
    parts = sorted(
        (offset, offset + count)
        for page in pages
        for offset, count in set(zip(page.dataoffsets, page.databytecounts, strict=False))
    )
    if any(start < end for (_, end), (start, _) in pairwise(parts)):
        raise InputError(
            f"{path}: two of its pages have pixels at the same place, so one of them is wrong; "
            "export it again."
        )
    if planes > 1 or any(page.subifds for page in pages):
        return
    of_pixels = sum(end - start for start, end in parts)
    of_tags = sum(TAG_BYTES + tag.valuebytecount for page in pages for tag in page.tags)
    unnamed = path.stat().st_size - of_pixels - of_tags
    if unnamed >= max(sum(page.databytecounts) for page in pages):
        raise InputError(
            f"{path}: {unnamed} of its bytes are of no page, and a page takes fewer; its chain of "
            "pages is broken. Export it again."
        )


def _refuse_channels(path: Path, file: tifffile.TiffFile, count: int) -> None:
    """Refuse what the writer's own text says is not one plane a slice of one volume."""
    numbers: dict[str, int] = {}
    if file.is_imagej:
        text = file.imagej_metadata or {}
        numbers = {name: int(text.get(name, 1)) for name in ("channels", "frames")}
        announced = int(text.get("images", count))
        if announced not in (1, count):
            raise InputError(
                f"{path}: has {count} pages where ImageJ's text announces {announced}; copy or "
                "export it again."
            )
    several = [f"{number} {name}" for name, number in numbers.items() if number > 1]
    if several:
        raise InputError(
            f"{path}: its {count} pages are {' and '.join(several)} of one volume, not slices; "
            "save one channel and one time alone."
        )
