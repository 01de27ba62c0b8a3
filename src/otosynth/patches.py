"""The patch table: where patches lie and what is in them (thesis III.1; method 5)."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from otosynth.errors import InputError
from otosynth.pairs import Pair
from otosynth.tissues import CLASSES

COLUMNS = ("specimen", "z", "y", "x", "size", *CLASSES, "mask_fraction")


def corners_along(length: int, size: int, stride: int) -> list[int]:
    """First voxels of the patches along one axis; the last is shifted inside the volume.

    Examples
    --------
    >>> corners_along(10, 4, 4)
    [0, 4, 6]
    """
    if length < size:
        raise InputError(
            f"A volume of {length} voxels along one axis is smaller than a patch of {size}: "
            "use a smaller patches.size or a smaller factor."
        )
    corners = list(range(0, length - size + 1, stride))
    if corners[-1] + size < length:
        corners.append(length - size)
    return corners


def patch_corners(shape: Sequence[int], size: int, overlap: int = 0) -> list[tuple[int, int, int]]:
    """Corners (z, y, x) of cubic patches that cover a volume, in z, y, x order.

    Parameters
    ----------
    shape
        Volume shape (z, y, x), voxels.
    size, overlap
        Edge and overlap of the patches, voxels.

    Raises
    ------
    InputError
        If the volume is smaller than a patch.
    """
    axes = (corners_along(length, size, size - overlap) for length in shape)
    return [(z, y, x) for z, y, x in product(*axes)]


def patch_table(
    pairs: Mapping[str, Pair], size: int, overlap: int, min_mask_fraction: float = 0.0
) -> pd.DataFrame:
    """List all patches of the specimens of one split.

    Parameters
    ----------
    pairs
        Specimen name to its voxels.
    size, overlap
        Edge and overlap (voxels): 96 and 24 in the thesis for training, no overlap else.
    min_mask_fraction
        Patches with a smaller share of voxels inside the mask are left out.

    Returns
    -------
    DataFrame
        One row a patch: specimen, corner z y x, size, voxels of air, soft and bone inside the
        mask, fraction of the patch inside the mask.

    Raises
    ------
    InputError
        If a volume is smaller than a patch, or no patch is left.
    """
    rows = []
    for specimen, pair in pairs.items():
        for z, y, x in patch_corners(pair.ct.shape, size, overlap):
            at = (slice(z, z + size), slice(y, y + size), slice(x, x + size))
            inside = pair.mask[at] > 0
            voxels = np.bincount(pair.classmap[at][inside].ravel(), minlength=len(CLASSES))
            fraction = float(inside.mean())
            if fraction >= min_mask_fraction:
                rows.append((specimen, z, y, x, size, *voxels.tolist(), round(fraction, 6)))
    if not rows:
        raise InputError(
            f"No patch of {', '.join(pairs)} has {min_mask_fraction:.0%} of its voxels inside the "
            "mask: look at the registration, or lower patches.min_mask_fraction."
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def fullest_patch(table: pd.DataFrame) -> int:
    """Return the row of the patch whose rarest class has the most voxels: the one to look at."""
    return int(table[list(CLASSES)].min(axis=1).idxmax())
