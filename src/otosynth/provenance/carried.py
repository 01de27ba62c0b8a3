"""The digest that a figure or table carries: what it was made from."""

import csv
import re
from pathlib import Path

from PIL import Image

# The column of a CSV, the text of a PNG, and the line of a PDF's keywords or of a Markdown page.
CSV_COLUMN = "inputs_sha256"
PNG_KEY = "Inputs"
LINE = "Inputs: {}"
PATTERN = re.compile(rb"Inputs: ([0-9a-f]{64})")


def figure_metadata(suffix: str, digest: str) -> dict[str, str]:
    """Return the metadata by which a figure of a format (.png, .pdf) carries a digest."""
    return {PNG_KEY: digest} if suffix == ".png" else {"Keywords": LINE.format(digest)}


def carried_digest(path: Path) -> str | None:
    """Return the digest that a figure or table carries; none where it carries none.

    A damaged file carries none.
    """
    readers = {".png": _of_png, ".csv": _of_csv, ".pdf": _of_text, ".md": _of_text}
    return readers[path.suffix](path)


def _of_png(path: Path) -> str | None:
    try:
        with Image.open(path) as image:
            return image.info.get(PNG_KEY)
    except (OSError, SyntaxError, ValueError):
        return None


def _of_csv(path: Path) -> str | None:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            digests = {row.get(CSV_COLUMN) for row in csv.DictReader(file)}
    except (UnicodeDecodeError, csv.Error):
        return None
    return digests.pop() if len(digests) == 1 else None


def _of_text(path: Path) -> str | None:
    found = set(PATTERN.findall(path.read_bytes()))
    return found.pop().decode() if len(found) == 1 else None
