"""What results carry within: figures and tables the digest of their inputs, checkpoints a fold."""

import csv
import json
import re
from pathlib import Path

from PIL import Image
from safetensors import SafetensorError, safe_open

# The column of a CSV, the text of a PNG, and the line of a PDF's keywords or of a Markdown page.
CSV_COLUMN = "inputs_sha256"
PNG_KEY = "Inputs"
LINE = "Inputs: {}"
# safetensors writes several metadata keys in no fixed order; one key keeps the bytes the same.
CHECKPOINT_KEY = "otosynth"
PATTERN = re.compile(rb"Inputs: ([0-9a-f]{64})")


def figure_metadata(suffix: str, digest: str) -> dict[str, str]:
    """Return the metadata by which a figure of a format (.png, .pdf) carries a digest."""
    return {PNG_KEY: digest} if suffix == ".png" else {"Keywords": LINE.format(digest)}


def carried_digest(path: Path) -> str | None:
    """Return the digest that a figure or table carries; none where it carries none.

    A damaged file carries none.
    """
    readers = {".png": _of_png, ".csv": _of_csv, ".pdf": _of_text, ".md": _of_text}
    reader = readers.get(path.suffix)
    return reader(path) if reader else None


def carried_fold(checkpoint: Path) -> dict[str, dict[str, str]]:
    """Return the fold that a checkpoint carries: split to specimens with digests of their pairs.

    Empty for a damaged file.
    """
    try:
        with safe_open(checkpoint, framework="numpy") as file:
            facts = json.loads(file.metadata()[CHECKPOINT_KEY])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return {}
    return dict(facts.get("fold", {}))


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
