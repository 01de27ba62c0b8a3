"""Hashes of files: SHA-256 for this project, and in the same read MD5, by which DVC knows them."""

import hashlib
from pathlib import Path

from typing_extensions import TypedDict

CHUNK_BYTES = 1 << 20


class FileHash(TypedDict):
    """A file's hashes (hexadecimal) and its size, as records hold them."""

    sha256: str
    md5: str
    bytes: int


def hash_file(path: Path) -> FileHash:
    """Read a file once and return its hashes."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    return FileHash(sha256=sha256.hexdigest(), md5=md5.hexdigest(), bytes=size)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
