"""Headers of text lines, as NRRD and MetaImage have them."""

import math
from pathlib import Path

from otosynth.errors import InputError

MAX_HEADER_LINES = 10_000


def text_header(path: Path, separator: str) -> dict[str, str]:
    """Read the keys (lower case) of an NRRD or MetaImage header, which end before the voxels."""
    header: dict[str, str] = {}
    with path.open("rb") as stream:
        for _, line in zip(range(MAX_HEADER_LINES), stream, strict=False):
            text = line.decode("latin-1").strip()
            # An empty line ends an NRRD header; this key is the last of a MetaImage header.
            if not text or "elementdatafile" in header:
                break
            key, _, value = text.partition(separator)
            header[key.strip().lower()] = value.strip()
    return header


def data_files(path: Path, header: dict[str, str], keys: tuple[str, ...]) -> list[Path]:
    """List the file beside a header that holds its voxels; none where they are in one file.

    Raises
    ------
    InputError
        If there are several.
    """
    names = [header[key] for key in keys if key in header]
    if not names or names[0].upper() == "LOCAL":
        return []
    if names[0].upper().startswith("LIST") or "%" in names[0]:
        raise InputError(
            f"{path}: keeps its voxels in several files; save it as one file "
            "(.nrrd, .mha or .nii.gz)."
        )
    return [path.parent / names[0]]


def refuse_missing(path: Path, files: list[Path]) -> None:
    """Refuse a header whose voxels are in a file that is not there."""
    for file in files:
        if not file.is_file():
            raise InputError(f"{path}: its voxels are in {file}, which is missing.")


def numbers(words: list[str]) -> list[float]:
    """Read numbers; NaN where a word is none."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return [math.nan] * len(words)
