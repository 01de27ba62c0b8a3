"""glibc's heap, made to give back what is freed; elsewhere nothing happens.

glibc keeps freed tensors of some MB for later ones, in holes that those seldom fit: half of what a
prediction by small patches took (docs/profile.md).
"""

import ctypes
from collections.abc import Callable

# A key of glibc's `mallopt`, and blocks (bytes) that are large: less, and mapping them takes longer
# than what is computed in them.
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**18


def map_large_blocks() -> None:
    """Have every large block mapped by itself, and given back when it is freed, from now on."""
    set_option = _function("mallopt")
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, LARGE_BLOCK)


def give_back_free_pages() -> None:
    """Give back the pages of the heap that nothing is in."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, or None where it has none of that name."""
    return getattr(ctypes.CDLL(None), name, None)
