"""The patch table: where patches lie and what is in them (thesis III.1; method 5)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, product

import numpy as np
import pandas as pd

from otosynth.errors import InputError
from otosynth.pairs import Pair
from otosynth.tissues import CLASSES
from otosynth.volumes.mapping import let_go, read_ahead

# Slices that are counted together; their number must fit into 8 bits.
SLICES = 16
COUNTED = (*CLASSES, "cochlea")
COLUMNS = ("specimen", "z", "y", "x", "size", *COUNTED, "mask_fraction")


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


def box_corners(
    shape: Sequence[int], edges: Sequence[int], overlap: float = 0.0
) -> list[tuple[int, int, int]]:
    """Corners (z, y, x) of boxes that cover a volume, in z, y, x order.

    Parameters
    ----------
    shape, edges
        Of the volume and of a box (z, y, x), voxels.
    overlap
        Of neighbouring boxes, as a share of their edges.

    Raises
    ------
    InputError
        If the volume is smaller than a box.
    """
    axes = (
        corners_along(length, edge, edge - round(overlap * edge))
        for length, edge in zip(shape, edges, strict=True)
    )
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
        One row a patch: specimen, corner z y x, size, voxels of air, soft, bone and of the region
        at the cochlea inside the mask, fraction of the patch inside the mask.

    Raises
    ------
    InputError
        If a volume is smaller than a patch, a class map holds other numbers than the classes',
        or no patch is left.
    """
    rows = []
    for specimen, pair in pairs.items():
        corners = patch_corners(pair.ct.shape, size, overlap)
        for corner, voxels in zip(corners, _voxels_of_patches(pair, size, overlap), strict=True):
            *counts, inside = voxels
            fraction = inside / size**3
            if sum(counts[: len(CLASSES)]) != inside:
                raise InputError(f"{specimen}: its class map holds numbers that are no class.")
            if fraction >= min_mask_fraction:
                rows.append((specimen, *corner, size, *counts, round(fraction, 6)))
    if not rows:
        raise InputError(
            f"No patch of {', '.join(pairs)} has {min_mask_fraction:.0%} of its voxels inside the "
            "mask: look at the registration, or lower patches.min_mask_fraction."
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _voxels_of_patches(pair: Pair, size: int, overlap: int) -> list[list[int]]:
    """Count ``COUNTED`` and all inside the mask, in the order of ``patch_corners``.

    The volumes are read once from end to end: however patches overlap, their borders part each
    axis into stretches, and a patch is the sum of some of them.
    """
    z, y, x = (np.array(corners_along(n, size, size - overlap)) for n in pair.mask.shape)
    volumes = [pair.mask, pair.classmap, pair.cochlea]
    if pair.mask.strides[2] < 0:
        # A mirrored ear: forwards is twice as fast, and the same patches lie at mirrored corners.
        volumes = [volume[..., ::-1] for volume in volumes]
        x = pair.mask.shape[2] - size - x
    stretches = []
    for first, last in pairwise(_borders(z, size).tolist()):
        counts = _count_along_z(volumes, slice(first, last))
        for axis, corners in ((1, y), (2, x)):
            along = np.add.reduceat(counts, _borders(corners, size)[:-1], axis)
            counts = _sums_of_stretches(along, corners, size, axis)
        stretches.append(counts)
    voxels = _sums_of_stretches(np.stack(stretches), z, size, axis=0)
    return np.moveaxis(voxels, 1, -1).reshape(-1, len(COUNTED) + 1).tolist()


def _borders(corners: np.ndarray, size: int) -> np.ndarray:
    """Where patches begin or end along an axis, from the volume's beginning to its end."""
    return np.unique([*corners, *(corners + size)])


def _sums_of_stretches(
    stretches: np.ndarray, corners: np.ndarray, size: int, axis: int
) -> np.ndarray:
    """Sum the stretches between borders that belong to each patch along an axis."""
    borders = _borders(corners, size)
    starts, stops = np.searchsorted(borders, corners), np.searchsorted(borders, corners + size)
    up_to = np.cumsum(stretches, axis)
    up_to = np.concatenate([np.zeros_like(up_to.take([0], axis)), up_to], axis)
    return up_to.take(stops, axis) - up_to.take(starts, axis)


def _count_along_z(volumes: Sequence[np.ndarray], rows: slice) -> np.ndarray:
    """Count ``COUNTED`` and all inside the mask, over some rows along z (5, y, x).

    ``volumes`` are mask, class map and region at the cochlea.
    """
    counts = np.zeros((len(COUNTED) + 1, *volumes[0].shape[1:]), np.int64)
    for first in range(rows.start, rows.stop, SLICES):
        last = min(first + SLICES, rows.stop)
        few = np.zeros(counts.shape, np.uint8)
        for volume in volumes:
            read_ahead(volume[last : last + SLICES])
        for covered, classes, cochlea in zip(*(v[first:last] for v in volumes), strict=True):
            inside = covered > 0
            for number in range(len(CLASSES)):
                few[number] += ((classes == number) & inside).view(np.uint8)
            few[-2] += ((cochlea > 0) & inside).view(np.uint8)
            few[-1] += inside.view(np.uint8)
        counts += few
        for volume in volumes:
            let_go(volume[first:last])
    return counts


def stride_of(table: pd.DataFrame) -> int:
    """Return the distance of neighbouring patches (voxels): the commonest; 0 for single patches."""
    steps = [
        np.diff(np.unique(of_ear[axis])) for _, of_ear in table.groupby("specimen")
        for axis in "zyx"
    ]  # fmt: skip
    counts = np.bincount(np.concatenate(steps))
    return int(counts.argmax()) if len(counts) else 0


def fullest_patch(table: pd.DataFrame) -> int:
    """Return the row of the patch whose rarest class has the most voxels: the one to look at."""
    return int(table[list(CLASSES)].min(axis=1).idxmax())
