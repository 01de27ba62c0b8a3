"""Parting volumes along z, so that they are gone through without being held as a whole."""

import math
from collections.abc import Iterator

# Voxels of a slab: 128 MiB of float32, so that the usual ear at 0.1 mm is one slab.
SLAB_VOXELS = 2**25


def slabs_of(
    shape: tuple[int, ...], voxels: int | None = None, multiple: int = 1
) -> Iterator[slice]:
    """Part the first axis of ``shape`` so that a slab has about so many voxels.

    Parameters
    ----------
    voxels
        None: ``SLAB_VOXELS``.
    multiple
        Slabs have a multiple of so many rows, and what is left at the end is left out.
    """
    step = max(1, (voxels or SLAB_VOXELS) // max(1, math.prod(shape[1:])) // multiple) * multiple
    last = shape[0] // multiple * multiple
    for first in range(0, last, step):
        yield slice(first, min(first + step, last))
