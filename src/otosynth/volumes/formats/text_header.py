"""Headers of text lines, as NRRD and MetaImage have them, and the files that they name."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otosynth.errors import InputError

MAX_HEADER_LINES = 10_000
# No header has a longer line; a file of something else may be one line.
MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class TextHeader:
    """The keys (lower case) of a header, and the byte after its end.

    Messages call a key as the caller spells it.
    """

    path: Path
    values: dict[str, str]
    end: int

    def first(self, *keys: str) -> str:
        """Return the value of the first of several names of one thing; empty: there is none.

        Raises
        ------
        InputError
            If two of them differ.
        """
        found = {key: self.values[key.lower()] for key in keys if key.lower() in self.values}
        if "" in found.values():
            raise InputError(
                f"{self.path}: its header is damaged: '{keys[0]}' has no value; export the file "
                "again."
            )
        if len({tuple(numbers_or_words(value)) for value in found.values()}) > 1:
            said = "; ".join(f"{key}: {value}" for key, value in found.items())
            raise InputError(
                f"{self.path}: states one thing twice, and differently ({said}); correct the file."
            )
        return next(iter(found.values()), "")

    def numbers(self, *keys: str, count: int = 0) -> list[float]:
        """Return the numbers of a key; none where it is absent.

        Raises
        ------
        InputError
            If there are not ``count`` of them, or one is no number.
        """
        text = self.first(*keys)
        values = numbers(text.split())
        if text and ((count and len(values) != count) or any(map(math.isnan, values))):
            raise InputError(
                f"{self.path}: '{keys[0]}' should be {count or ''} numbers and is '{text}'; export "
                "the file again."
            )
        return values

    def whole_numbers(self, key: str) -> tuple[int, ...]:
        """Return the whole numbers of a key; none where it is absent or has others."""
        words = self.first(key).split()
        return tuple(int(word) for word in words) if all(map(str.isdecimal, words)) else ()

    def count(self, key: str, default: int) -> int:
        """Return a whole number.

        Raises
        ------
        InputError
            If it is none.
        """
        text = self.values.get(key.lower(), str(default))
        try:
            return int(text)
        except ValueError:
            raise InputError(
                f"{self.path}: '{key}' should be a whole number and is '{text}'; export the file "
                "again."
            ) from None


def text_header(path: Path, separator: str, last: str = "", magic: str = "") -> TextHeader:
    """Read a header, which ends before the voxels: with an empty line, or the key ``last``.

    Parameters
    ----------
    magic
        With what its first line begins, where that is no key.

    Raises
    ------
    InputError
        If a line is no key with a value, or a key stands there twice with different values.
    """
    values: dict[str, str] = {}
    with path.open("rb") as stream:
        for _ in range(MAX_HEADER_LINES):
            line = _decoded(stream.readline(MAX_LINE_BYTES)).strip()
            if not line or (last and last in values):
                break
            if line.startswith("#"):
                continue
            key, found, value = line.partition(separator)
            key, value = key.strip().lower(), value.strip()
            if not (found and key and key.isprintable()) and not (magic and line.startswith(magic)):
                raise InputError(
                    f"{path}: its header is damaged, or is none: it holds '{line[:40]}'; export "
                    "the file again."
                )
            if value.startswith("="):
                # A note of NRRD, "key:=value", is no field.
                continue
            if values.get(key, value) != value:
                raise InputError(
                    f"{path}: states '{key}' twice, and differently: {values[key]} and {value}; "
                    "correct the file."
                )
            values[key] = value
            if key == last:
                break
        return TextHeader(path, values, stream.tell())


def data_file(path: Path, name: str) -> Path | None:
    """Return the file beside a header that holds its voxels; None where the header's own does.

    Raises
    ------
    InputError
        If there are several.
    """
    if not name or name.upper() == "LOCAL":
        return None
    if name.upper().startswith("LIST") or "%" in name:
        raise InputError(
            f"{path}: keeps its voxels in several files; save it as one file "
            "(.nrrd, .mha or .nii.gz)."
        )
    beside = path.parent / name
    if beside.exists() or not beside.parent.is_dir():
        return beside
    # An accent may be written as one character in the header and as two in the file's name.
    wanted = unicodedata.normalize("NFC", beside.name)
    alike = [p for p in beside.parent.iterdir() if unicodedata.normalize("NFC", p.name) == wanted]
    return alike[0] if alike else beside


def refuse_missing(path: Path, file: Path) -> None:
    """Refuse a header whose voxels are in a file that is not there."""
    if not file.is_file():
        raise InputError(
            f"{path}: its voxels are in {file}, which is missing; put it there, or export both "
            "again."
        )


def numbers(words: Sequence[str]) -> list[float]:
    """Read numbers; NaN where a word is none."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return [math.nan] * len(words)


def numbers_or_words(text: str) -> Sequence[float | str]:
    """Return a text's numbers, or its words where it has others; for comparing."""
    values = numbers(text.split())
    return text.split() if any(map(math.isnan, values)) else values


def _decoded(line: bytes) -> str:
    """Decode UTF-8, which most programs write, or else Latin-1."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
