"""Files that appear whole or not at all."""

import codecs
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otosynth.errors import InputError

if TYPE_CHECKING:
    # Every job imports this module, and few have tables: pandas takes 0.2 s to import.
    import pandas as pd

# What the name of a file begins with while it is written.
HALF_WRITTEN = ".half-written-"
# How a text says at its beginning what it is encoded in; UTF-32's mark begins with UTF-16's.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` when all is well.

    The bytes are on the disk before the name is, so a power loss leaves the old file or the new
    one. What an earlier process left half-written for the same name is removed.

    Raises
    ------
    InputError
        If the disk is full. Nothing is left behind then, nor after any other error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    # The name keeps its suffix, by which writers choose the format.
    beside = path.with_name(f"{HALF_WRITTEN}{os.getpid()}-{path.name}")
    try:
        yield beside
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_is_full(path) from None
        raise
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(folder: Path, last: str = "") -> Iterator[Path]:
    """Give an empty folder within ``folder`` to fill; all in it moves up when all is well.

    ``folder`` itself stays, since it may be a mounted one; all that was in it goes when the new
    files come.

    Parameters
    ----------
    last
        Name of the file that goes first and comes last, and so tells that the others are there.

    Raises
    ------
    InputError
        If the disk is full, or it cannot be written there. After an error or Ctrl-C before all was
        filled, ``folder`` is as it was.
    """
    is_new = not folder.exists()
    within = folder / f"{HALF_WRITTEN}{os.getpid()}"
    try:
        within.mkdir(parents=True)
        yield within
        _move_up(within, folder, last)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_is_full(folder) from None
        raise InputError(
            f"{folder}: could not be written ({error.strerror or error}); choose another folder."
        ) from error
    finally:
        shutil.rmtree(within, ignore_errors=True)
        if is_new:
            # Where nothing came of it, it is empty; otherwise it cannot be removed so.
            with suppress(OSError):
                folder.rmdir()


def _move_up(within: Path, folder: Path, last: str) -> None:
    for old in sorted(folder.iterdir(), key=lambda path: path.name != last):
        if old != within:
            remove(old)
    for new in sorted(within.iterdir(), key=lambda path: path.name == last):
        new.rename(folder / new.name)


def whole_files(folder: Path) -> list[Path]:
    """List what is in a folder, but for what was left half-written; nothing if there is none."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith(HALF_WRITTEN))


def check_can_write(folder: Path) -> None:
    """Refuse a folder in which nothing can be written, before hours are spent on what to write.

    Raises
    ------
    InputError
        If it, or the nearest folder above it, is none or may not be written.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"{folder}: {place} is a file, and a folder is wanted.")
    try:
        # Permissions do not tell of a disk that is mounted read-only, or of what root may do.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: nothing can be written in {place} ({error.strerror}); choose another "
            "folder."
        ) from None


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Remove what a kill left half-written, of one name or all of it in a folder."""
    for path in folder.glob(f"{HALF_WRITTEN}*-{name}"):
        remove(path)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_is_full(path: Path | str) -> InputError:
    """Return the error that tells a person so."""
    return InputError(
        f"The disk is full: {path} could not be written. Free some space and run the same command "
        "again; nothing computed so far is lost."
    )


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole (see ``written_whole``)."""
    with written_whole(path) as beside:
        beside.write_bytes(data)


def read_text(path: Path) -> str:
    """Read a text that a person wrote: UTF-8, or what a byte-order mark at its beginning says.

    Line ends stay as they are.

    Raises
    ------
    InputError
        If it is neither. Another encoding is not guessed: the same bytes are other letters in each.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: line {line} is not {encoding.removesuffix('-sig').upper()} (byte "
            f"{error.start + 1} is {data[error.start]:#04x}); save it as UTF-8 (in Excel: CSV "
            "UTF-8), then try again."
        ) from None
    if "\0" in text:
        raise InputError(
            f"{path}: is no text in UTF-8 (character {text.index(chr(0)) + 1} is 0x00); save it as "
            "UTF-8 (in Excel: CSV UTF-8), then try again."
        )
    return text


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(data: Any, path: Path) -> None:
    """Write JSON whole (see ``written_whole``)."""
    write_bytes(path, (json.dumps(data, indent=2) + "\n").encode())


def write_csv(table: "pd.DataFrame", path: Path | str, float_format: str | None = None) -> None:
    """Write a table whole (see ``written_whole``), by its ending with commas or tabs."""
    separator = "\t" if str(path).endswith(".tsv") else ","
    text = table.to_csv(sep=separator, index=False, float_format=float_format)
    write_bytes(Path(path), text.encode())
