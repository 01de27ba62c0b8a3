"""Hashes of files: SHA-256 for this project, and in the same read MD5, by which DVC knows them."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileHash:
    """A file's hashes (hexadecimal) and its size."""

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
    return FileHash(sha256.hexdigest(), md5.hexdigest(), size)


def hash_files(paths: Iterable[Path], threads: int = 1) -> dict[Path, FileHash]:
    """Return the hashes of several files; hashing leaves other threads alone."""
    unique = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(unique, pool.map(hash_file, unique), strict=True))


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
