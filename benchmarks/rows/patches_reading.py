"""Beside it: reading the same two files from end to end and doing nothing, as `cat` does.

Like `cat`, it tells the system that it reads in order.

The files are dropped from the system's cache before the run that counts; `seconds cached` is a
second run right after it.
"""

import os
import time
from pathlib import Path

from patches_files import READ, forget

BUFFER_BYTES = 2**20


def prepare(folder: Path, settings: dict) -> Path:
    """Use what ours left."""
    return folder / "E1"


def run(folder: Path) -> dict[str, float]:
    """Read, from the disk and from the cache."""
    forget(folder)
    seconds, cached = (read(folder) for _ in range(2))
    return {"seconds": seconds, "seconds cached": cached}


def read(folder: Path) -> float:
    """Return the seconds that reading takes."""
    started = time.perf_counter()
    buffer = bytearray(BUFFER_BYTES)
    for name in READ:
        with (folder / f"{name}.nii").open("rb", buffering=0) as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while stream.readinto(buffer):
                pass
    return time.perf_counter() - started
