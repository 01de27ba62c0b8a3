"""What glibc does with freed memory: a prediction gives it back, a training keeps it.

By itself glibc keeps freed tensors of some MB for later ones, in holes that those seldom fit: half
of what a prediction by small patches took. Those above 32 MB it gives back, and gets anew: a fifth
of a training's time at 96^3 (docs/profile.md). With another C library nothing happens.
"""

import ctypes
from collections.abc import Callable, Mapping

# Keys of glibc's `mallopt`.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
# glibc's own number of mapped blocks, and free bytes at the heap's end that it gives back itself:
# its own 128 KiB would be given back, and needed again, many times a patch.
MAPPED_BLOCKS, TRIM_FROM = 2**16, 2**22
# Bytes of a block that is mapped by itself in a prediction: with less it takes more time, with more
# it leaves larger holes (docs/profile.md).
LARGE_BLOCK = 3 * 2**18
NEVER = -1


def map_large_blocks() -> None:
    """Have every large block mapped by itself, and given back when it is freed, from now on."""
    _set({M_MMAP_MAX: MAPPED_BLOCKS, M_MMAP_THRESHOLD: LARGE_BLOCK, M_TRIM_THRESHOLD: TRIM_FROM})


def keep_freed_memory() -> None:
    """Have what is freed kept for later tensors, from now on: every step makes the same ones."""
    _set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER})


def give_back_free_pages() -> None:
    """Give back the pages of the heap that nothing is in."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _set(options: Mapping[int, int]) -> None:
    set_option = _function("mallopt")
    if set_option is not None:
        for key, value in options.items():
            set_option(key, value)


def _function(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, or None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None)
