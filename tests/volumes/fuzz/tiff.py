"""TIFF: slices and pages with ``spacing.json``; tifffile is the independent reader."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from fuzz.common import (
    POISON,
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


@dataclass
class Draft:
    """A valid stack that is not yet written: pages, how each is written, and spacing.json."""

    scan: Scan
    pages: list[np.ndarray]
    geometry: dict[str, object]
    # A folder of slices, or one file of pages.
    folder: bool
    options: dict[str, object]
    names: list[str]
    of_page: dict[int, dict[str, object]] = field(default_factory=dict)
    sidecar: str | None = None
    extra: dict[str, bytes] = field(default_factory=dict)


def draft(random: np.random.Generator, scan: Scan | None = None) -> Draft:
    scan = scan or random_scan(random, ("uint8", "uint16", "int16", "float32"))
    geometry = {
        "spacing_mm": scan.spacing_mm.tolist(),
        "origin_mm": scan.origin_mm.tolist(),
        "direction": scan.direction.ravel().tolist(),
    }
    options = {
        "compression": pick(random, [None, "zlib"]),
        "byteorder": pick(random, "<>"),
        "metadata": None,
        "photometric": "minisblack",
    }
    pages = [np.ascontiguousarray(page.T) for page in np.moveaxis(scan.values, 2, 0)]
    names = [f"s{z:03}.tif" for z in range(len(pages))]
    return Draft(scan, pages, geometry, bool(random.random() < 0.5), options, names)


def write(draft: Draft, folder: Path) -> Path:
    sidecar = draft.sidecar if draft.sidecar is not None else json.dumps(draft.geometry)
    if sidecar:
        (folder / "spacing.json").write_text(sidecar, encoding="utf-8")
    for name, content in draft.extra.items():
        (folder / name).write_bytes(content)
    if draft.folder:
        for z, (name, page) in enumerate(zip(draft.names, draft.pages, strict=True)):
            _write([(page, draft.of_page.get(z, {}))], folder / name, draft.options)
        return folder
    pages = [(page, draft.of_page.get(z, {})) for z, page in enumerate(draft.pages)]
    _write(pages, folder / "v.tif", draft.options)
    return folder / "v.tif"


def _write(pages: list, path: Path, options: dict[str, object]) -> None:
    of_file = {key: options[key] for key in ("byteorder", "bigtiff") if key in options}
    with tifffile.TiffWriter(path, **of_file) as writer:
        for page, own in pages:
            given = {k: v for k, v in (options | own).items() if k not in ("byteorder", "bigtiff")}
            writer.write(page, contiguous=False, **given)


def alter(random: np.random.Generator, draft: Draft, number: int) -> Alteration:
    if number < 40:
        draft.folder = number % 2 == 0
        return _to_a_file(f"truncated at {number // 2 * 5} %", ("length", "header", "size"),
                          truncated(number // 2 * 5), random)  # fmt: skip
    return pick(random, ALTERATIONS)(random, draft)


def _to_a_file(
    name: str, topics: tuple[str, ...], change: Callable[[Path], None], random: np.random.Generator
) -> Alteration:
    """Change one of the image files."""
    which = float(random.random())

    def after(path: Path) -> None:
        files = sorted(path.glob("*.tif")) if path.is_dir() else [path]
        change(files[int(which * len(files))])

    return Alteration(name, topics, after=after)


def _geometry_number(random: np.random.Generator, draft: Draft) -> Alteration:
    key = pick(random, ["spacing_mm", "spacing_mm", "origin_mm", "direction"])
    numbers = list(draft.geometry[key])
    what = pick(random, ["poisoned", "exchanged", "negated", "count", "text", "scaled"])
    at, other = random.choice(len(numbers), 2, replace=False)
    if what == "poisoned":
        numbers[at] = pick(random, POISON)
    elif what == "exchanged":
        numbers[at], numbers[other] = numbers[other], numbers[at]
    elif what == "negated":
        numbers[at] = -numbers[at]
    elif what == "count":
        numbers = numbers[:-1] if random.random() < 0.5 else [*numbers, 1.0]
    elif what == "text":
        numbers[at] = pick(random, [str(numbers[at]), "x", None, [1], True])
    else:
        numbers[at] = numbers[at] * 1.3
    draft.geometry[key] = numbers
    return Alteration(f"{key} {what}: {numbers}", ("sidecar",))


def _geometry_form(random: np.random.Generator, draft: Draft) -> Alteration:
    what = pick(
        random, ["missing key", "unknown key", "no JSON", "missing", "list", "twice", "BOM"]
    )
    text = json.dumps(draft.geometry)
    if what == "missing key":
        del draft.geometry[pick(random, ["spacing_mm", "origin_mm", "direction"])]
    elif what == "unknown key":
        draft.geometry["spacing"] = [1, 1, 1]
    elif what == "no JSON":
        draft.sidecar = text[: int(random.integers(1, len(text)))]
    elif what == "missing":
        draft.sidecar = ""
    elif what == "list":
        draft.sidecar = "[1, 2, 3]"
    elif what == "twice":
        draft.sidecar = '{"spacing_mm": [9, 9, 9], ' + text[1:]
    else:
        draft.sidecar = "\ufeff" + text
        return Alteration("spacing.json with a byte order mark", ("sidecar",), harmless=True)
    return Alteration(f"spacing.json: {what}", ("sidecar", "orientation"))


def _one_page(random: np.random.Generator, draft: Draft) -> Alteration:
    z = int(random.integers(len(draft.pages)))
    page = draft.pages[z]
    what = pick(random, ["wider", "lower", "deeper", "half", "colour", "signed", "float", "turned"])
    if what == "wider":
        draft.pages[z] = np.pad(page, ((0, 0), (0, 2)))
    elif what == "lower":
        draft.pages[z] = page[:-1]
    elif what == "deeper":
        draft.pages[z] = page.astype(np.uint32)
    elif what == "half":
        draft.pages[z] = page.astype(np.float16)
    elif what == "colour":
        draft.pages[z] = np.stack([page.astype(np.uint8)] * 3, axis=-1)
        draft.of_page[z] = {"photometric": "rgb"}
    elif what == "signed":
        draft.pages[z] = page.astype(np.int8)
    elif what == "float":
        draft.pages[z] = page.astype(np.float64)
    else:
        draft.pages[z] = np.ascontiguousarray(page.T)
    return Alteration(f"page {z} {what}", ("size", "type", "colour"))


def _all_pages(random: np.random.Generator, draft: Draft) -> Alteration:
    kind = pick(random, ["float16", "uint32", "int32", "float64", "int8", "int64", "colour",
                         "bool", "uint64"])  # fmt: skip
    if kind == "colour":
        draft.pages = [np.stack([page.astype(np.uint8)] * 3, axis=-1) for page in draft.pages]
        draft.options["photometric"] = "rgb"
        draft.options["compression"] = None
        return Alteration("colour pages", ("colour", "type"))
    if kind == "bool":
        draft.pages = [page > np.median(page) for page in draft.pages]
        draft.options["compression"] = None
    else:
        with np.errstate(all="ignore"):
            draft.pages = [page.astype(kind) for page in draft.pages]
    return Alteration(f"pages of {kind}", ("type",))


def _options(random: np.random.Generator, draft: Draft) -> Alteration:
    name, option = pick(random, [
        ("white is zero", {"photometric": "miniswhite"}), ("tiles", {"tile": (16, 16)}),
        ("strips of one row", {"rowsperstrip": 1}), ("LZMA", {"compression": "lzma"}),
        ("a predictor", {"compression": "zlib", "predictor": True}), ("BigTIFF", {"bigtiff": True}),
        ("72 dpi", {"resolution": (72, 72), "resolutionunit": 2}),
        ("a resolution of 0", {"resolution": (0, 0), "resolutionunit": 2}),
        ("turned by its orientation", {"extratags": [(274, 3, 1, 6, True)]}),
        ("upside down by its orientation", {"extratags": [(274, 3, 1, 4, True)]}),
        ("a thumbnail", {"subfiletype": 1}),
        ("a description", {"description": "Gehörgang".encode()}),
        ("a description of ImageJ", {"description": "ImageJ=1.53\nunit=mm\nspacing=9\n"}),
        ("a description of OME", {"description": "<OME><Image/></OME>"}),
        ("palette", {"photometric": "palette"}),
    ])  # fmt: skip
    if name == "palette":
        draft.pages = [page.astype(np.uint8) for page in draft.pages]
        option = option | {"colormap": np.zeros((3, 256), np.uint16)}
    if name == "a predictor" and draft.pages[0].dtype.kind == "f":
        option = {"compression": "zlib"}
    draft.options |= option
    return Alteration(f"pages with {name}", (
        "type", "encoding", "colour", "values", "spacing", "orientation", "size"))  # fmt: skip


def _other_files(random: np.random.Generator, draft: Draft) -> Alteration:
    draft.folder = True
    what = pick(random, ["missing", "stray", "same number", "no text", "notes", "all renamed",
                         "order", "one left", "hidden"])  # fmt: skip
    if what == "missing":
        z = int(random.integers(1, len(draft.pages) - 1))
        del draft.pages[z], draft.names[z]
    elif what == "stray":
        draft.pages.append(draft.pages[0])
        draft.names.append(pick(random, ["preview.tif", "a.tif", "mask.TIFF"]))
    elif what == "same number":
        draft.pages.append(draft.pages[0])
        draft.names.append("t001.tif")
    elif what == "no text":
        draft.names = [f"{z}.tif" for z in range(8, 8 + len(draft.pages))]
        return Alteration("names of 8, 9, 10, ...", harmless=True)
    elif what == "notes":
        draft.extra = {"notes.txt": b"?", "Thumbs.db": b"?"}
        return Alteration("other files in the folder", harmless=True)
    elif what == "all renamed":
        draft.names = [f"{name}.tif" for name in "abcdefgh"[: len(draft.pages)]]
    elif what == "order":
        draft.names = [f"s{10 * z + 5:04}.TIF" for z in range(len(draft.pages))]
        return Alteration("numbers in steps of ten", ("number",))
    elif what == "one left":
        draft.pages, draft.names = draft.pages[:1], draft.names[:1]
    else:
        draft.extra = {"._s001.tif": b"\0\5\x16\7"}
        return Alteration("a hidden file of another system", harmless=True)
    return Alteration(f"slices: {what}", ("number",))


def _tag(random: np.random.Generator, draft: Draft) -> Alteration:
    """Change an entry of a page's list of tags: its type, count or value."""
    part = pick(random, ["tag", "type", "count", "value", "value", "value", "number of tags",
                         "next page"])  # fmt: skip
    entry, bits = float(random.random()), int(random.integers(1, 256))
    new = pick(random, [0, 1, 2, 3, 7, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF])

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        order = "<" if content[:2] == b"II" else ">"
        (at,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, at)
        begin = at + 2 + 12 * int(entry * count)
        where, kind = {
            "tag": (begin, "H"), "type": (begin + 2, "H"), "count": (begin + 4, "I"),
            "value": (begin + 8, "I"), "number of tags": (at, "H"),
            "next page": (at + 2 + 12 * count, "I"),
        }[part]  # fmt: skip
        if bits % 3 == 0:
            content[where] ^= bits
        else:
            struct.pack_into(order + kind, content, where, new & (0xFFFF if kind == "H" else new))
        path.write_bytes(bytes(content))

    return _to_a_file(f"{part} of an entry", (), change, random)


def _other_bytes(random: np.random.Generator, draft: Draft) -> Alteration:
    what = pick(random, ["appended", "replaced", "empty", "byte", "header byte"])
    if what == "appended":
        return _to_a_file("bytes appended", ("length",), appended(b"\0junk" * 9), random)
    if what == "replaced":
        return _to_a_file("an HTML page", ("header", "encoding", "length", "type"),
                          replaced_by(b"<html>404 not found</html>\n"), random)  # fmt: skip
    if what == "empty":
        return _to_a_file("an empty file", ("length", "header"), replaced_by(b""), random)
    first = 0 if what == "byte" else 8
    return _to_a_file(
        "a byte", (), changed_byte(random, first, 0 if what == "byte" else 250), random
    )


ALTERATIONS = (
    *[_geometry_number] * 4, *[_geometry_form] * 2, *[_one_page] * 4, *[_all_pages] * 2,
    *[_options] * 4, *[_other_files] * 3, *[_tag] * 6, *[_other_bytes] * 4,
)  # fmt: skip


def independent(path: Path) -> Reading | UndefinedError | str:
    """Read with tifffile, and the geometry with json."""
    try:
        folder = path if path.is_dir() else path.parent
        geometry = _geometry(folder / "spacing.json")
        values = _stack(path)
        return Reading(np.stack(values, axis=-1).astype(np.float64), geometry)
    except UndefinedError as reason:
        return reason
    except Exception as error:
        # Of a damaged file tifffile raises whatever its first wrong step makes.
        return f"{type(error).__name__}: {error}"


def _geometry(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UndefinedError("no spacing.json")
    try:
        stated = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except ValueError as error:
        raise UndefinedError(str(error)) from error
    if not isinstance(stated, dict) or set(stated) - {"spacing_mm", "origin_mm", "direction"}:
        raise UndefinedError("spacing.json of other keys")
    spacing = _numbers(stated.get("spacing_mm"), 3)
    origin = _numbers(stated.get("origin_mm", [0, 0, 0]), 3)
    direction = _numbers(stated.get("direction", [1, 0, 0, 0, 1, 0, 0, 0, 1]), 9).reshape(3, 3)
    if not (spacing > 0).all() or not np.isfinite(spacing).all():
        raise UndefinedError(f"spacing {spacing}")
    if not np.allclose(np.linalg.norm(direction, axis=0), 1, atol=1e-3):
        raise UndefinedError("directions of another length than 1")
    affine = affine_of(spacing, origin, direction)
    axes_of(affine)
    return affine


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise UndefinedError("a key twice")
    return dict(pairs)


def _numbers(numbers: object, count: int) -> np.ndarray:
    if not isinstance(numbers, list) or len(numbers) != count:
        raise UndefinedError(f"not {count} numbers: {numbers}")
    try:
        # Text that is a number may be taken for it.
        return np.array([float(n) for n in numbers])
    except (TypeError, ValueError) as error:
        raise UndefinedError(f"no numbers: {numbers}") from error


def _stack(path: Path) -> list[np.ndarray]:
    if path.is_dir():
        files = [f for f in path.iterdir() if f.suffix.lower() in (".tif", ".tiff")]
        files = [f for f in files if not f.name.startswith(".")]
        digits = {f: "".join(c for c in f.stem if c.isdigit()) for f in files}
        if "" in digits.values():
            raise UndefinedError("a slice without a number")
        numbers = sorted(int(d) for d in digits.values())
        if len(set(np.diff(numbers))) != 1 or numbers[0] == numbers[1]:
            raise UndefinedError(f"numbers {numbers}")
        pages = [_pages(f) for f in sorted(files, key=lambda f: int(digits[f]))]
        if any(len(of_file) != 1 for of_file in pages):
            raise UndefinedError("a slice of several pages")
        values = [of_file[0].T for of_file in pages]
    else:
        values = [page.T for page in _pages(path)]
    if len(values) < 2 or len({page.shape for page in values}) > 1 or values[0].ndim != 2:
        raise UndefinedError(f"pages of {[page.shape for page in values]}")
    if len({page.dtype.newbyteorder("=") for page in values}) > 1:
        raise UndefinedError(f"pages of {[page.dtype.name for page in values]}")
    return values


def _pages(path: Path) -> list[np.ndarray]:
    with tifffile.TiffFile(path) as opened:
        pages = list(opened.pages)
        for page in pages:
            if page.photometric not in (0, 1) or page.samplesperpixel != 1:
                raise UndefinedError(f"{page.photometric!r}")
        read = [page.asarray() for page in pages]
        for page, values in zip(pages, read, strict=True):
            tags = page.tags
            if values.shape != (tags["ImageLength"].value, tags["ImageWidth"].value):
                raise UndefinedError(f"page of {values.shape}")
    return read


def second(path: Path) -> np.ndarray | None:
    """Return the values as Pillow reads them; None where it cannot, or has another rule.

    Pillow turns a picture as its orientation says, and shows MinIsWhite and palettes as colours.
    """
    files = sorted(path.glob("s[0-9]*.tif")) if path.is_dir() else [path]
    pages = []
    try:
        for file in files:
            big = file.read_bytes()[:2] == b"MM"
            with Image.open(file) as opened:
                for page in range(opened.n_frames):
                    opened.seek(page)
                    tags = opened.tag_v2
                    if tags.get(262) != 1 or tags.get(274, 1) != 1 or tags.get(258) == (1,):
                        return None
                    # Pillow takes signed numbers for unsigned ones, and turns no packed floats.
                    wrong = tags.get(339, (1,))[0] == 2 or (opened.mode == "F" and big)
                    if wrong or opened.mode not in ("L", "I;16", "I;16B", "F"):
                        return None
                    pages.append(np.asarray(opened).T.astype(np.float64))
        return np.stack(pages, axis=-1)
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, struct.error):
        return None
