"""Alterations of headers that are lines of text: NRRD and MetaImage."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzz.common import POISON, Scan, pick

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf)(?![\w.])")


@dataclass
class TextDraft:
    """A valid file of a text header and voxels that is not yet written."""

    scan: Scan
    lines: list[tuple[str, str]]
    name: str
    voxels: bytes
    detached: bool
    # Between key and value, and at a line's end.
    separator: str
    line_end: str = "\n"
    magic: str = ""
    encoding: str = "utf-8"

    def get(self, key: str) -> str:
        return dict(self.lines).get(key, "")

    def put(self, key: str, value: str) -> None:
        """Change a line, or add it before the last."""
        keys = [k for k, _ in self.lines]
        if key in keys:
            self.lines[keys.index(key)] = (key, value)
        else:
            self.lines.insert(len(self.lines) - 1, (key, value))

    def drop(self, key: str) -> None:
        self.lines = [line for line in self.lines if line[0] != key]

    def header(self, end: str) -> bytes:
        lines = [f"{key}{self.separator}{value}" for key, value in self.lines]
        text = self.line_end.join([*([self.magic] if self.magic else []), *lines]) + self.line_end
        return (text + end).encode(self.encoding, "replace")

    def write(self, folder: Path, end: str = "") -> Path:
        path = folder / self.name
        if self.detached:
            path.write_bytes(self.header(end))
            (folder / "v.raw").write_bytes(self.voxels)
        else:
            path.write_bytes(self.header(end) + self.voxels)
        return path


def poison_number(random: np.random.Generator, text: str) -> str:
    """Replace one of the numbers of a line."""
    found = list(NUMBER.finditer(text))
    if not found:
        return text + " 3"
    one = pick(random, found)
    value = float(one[0])
    new = pick(random, [
        *[f"{p:g}" for p in POISON], f"{-value:g}", f"{2 * value:g}", f"{value + 1:g}", "x", "",
        f"{value * 1.2:g}", "1,5", "0x10", "99999999999999999999", "1e400",
    ])  # fmt: skip
    return text[: one.start()] + new + text[one.end() :]


def exchange_numbers(random: np.random.Generator, text: str) -> str:
    found = [m.span() for m in NUMBER.finditer(text)]
    if len(found) < 2:
        return poison_number(random, text)
    i, j = sorted(random.choice(len(found), 2, replace=False))
    (a, b), (c, d) = found[i], found[j]
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:]


def other_count(random: np.random.Generator, text: str) -> str:
    """One word more or less."""
    words = text.split()
    return " ".join(words[:-1]) if random.random() < 0.5 else text + " " + words[-1]
