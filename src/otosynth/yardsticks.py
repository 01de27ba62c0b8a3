"""What two numbers on the CT can do: the yardsticks that every method is to beat (method.md 8).

Arrays are z, y, x; CTs are in HU, on the grid of the micro-CT; class numbers are those of
:mod:`otosynth.tissues`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import fft, ndimage
from skimage.restoration import wiener

from otosynth.classmap import SLAB_VOXELS, otsu_thresholds
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.errors import InputError
from otosynth.registration.preparation import FWHM_PER_SIGMA, filled, shrink_volume, smooth
from otosynth.tissues import AIR, BONE, CLASSES, SOFT
from otosynth.volumes.arrays import spacing_zyx
from otosynth.volumes.grids import Grid, image_like, onto_grid
from otosynth.volumes.mapping import let_go, new_volume
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.volume import Volume

# Weights of the deconvolution's smoothness of which the training ears choose one.
SMOOTHNESS = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01)
# Voxels that a point spread hides are not needed: it is sampled by so many at least.
VOXELS_PER_POINT_SPREAD = 4
# How far, in point spreads, the deconvolution goes on beyond the volume: its two ends meet there.
MARGIN_IN_POINT_SPREADS = 2
# Of a block of voxels; averaging is in single precision.
WHOLE = 0.999

Slabs = Iterator[tuple[slice, np.ndarray]]


@dataclass(frozen=True)
class TissueCounts:
    """How many voxels of each class an ear has in each bin of HU.

    Attributes
    ----------
    bins
        Numbers of the bins that hold a voxel, rising (n,): bin k is from k to k + 1 times the
        width.
    counts
        Voxels of air, soft tissue and bone in them (3, n).
    """

    bins: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Learned:
    """Two thresholds in HU, and their mean Dice on the ears that they were learned on."""

    thresholds_hu: tuple[float, float]
    mean_dice: float


def ct_otsu(ct: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Three-class Otsu thresholds in HU of a CT inside the mask, of its plain histogram.

    Raises
    ------
    InputError
        If the CT has fewer than three grey levels there.
    """
    try:
        return otsu_thresholds(ct, ClassMapSettings(), mask)
    except InputError:
        raise InputError(
            "the CT has fewer than three grey levels inside the mask, so Otsu's thresholds cannot "
            "part it; see qc/registration.png, whether both scans show the same ear."
        ) from None


def count_tissues(
    slabs: Slabs, classmap: np.ndarray, mask: np.ndarray, width_hu: float
) -> TissueCounts:
    """Count the voxels of each class inside the mask by their HU.

    Parameters
    ----------
    slabs
        Rows along z with their HU (rows, y, x).
    width_hu
        Of a bin; bins begin at multiples of it.
    """
    keys, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows, slab in slabs:
        for part in slabs_of(slab.shape, SLAB_VOXELS):
            own = slice(rows.start + part.start, rows.start + part.stop)
            inside = mask[own] > 0
            bins = np.floor(slab[part][inside].astype(np.float64) / width_hu).astype(np.int64)
            found = np.unique(bins * len(CLASSES) + classmap[own][inside], return_counts=True)
            keys.append(found[0])
            counts.append(found[1])
        for volume in (classmap, mask):
            let_go(volume[rows])
    key, number = np.concatenate(keys), np.concatenate(counts)
    occupied, place = np.unique(key // len(CLASSES), return_inverse=True)
    table = np.zeros((len(CLASSES), len(occupied)), np.int64)
    np.add.at(table, (key % len(CLASSES), place), number)
    return TissueCounts(occupied, table)


def learn_thresholds(ears: Sequence[TissueCounts], width_hu: float) -> Learned:
    """Return the two thresholds that are best on some ears, of all pairs of bin borders.

    Best is the highest mean over the classes of the mean Dice over the ears; of equal ones the
    lowest first threshold, then the lowest second. An ear without a class does not count for it.

    Parameters
    ----------
    width_hu
        Of the bins that the ears were counted in.

    Raises
    ------
    InputError
        If the ears have no voxel.
    """
    bins = np.unique(np.concatenate([ear.bins for ear in ears]))
    if not bins.size:
        raise InputError("no training ear has a voxel inside its mask, so there is no threshold.")
    # Between two bins with voxels the lowest border stands for all.
    borders = np.concatenate([bins[:1], bins + 1]) * width_hu
    below = np.stack([_below(ear, bins) for ear in ears])
    of_class, of_all = below[:, :, -1:], below.sum(axis=1)
    known = of_class[:, :, 0] > 0
    best = Learned((float(borders[0]), float(borders[0])), -1.0)
    for first in range(len(borders)):
        later = slice(first, None)
        # Voxels (ears, second thresholds) that are called soft tissue, rightly and at all.
        right, called = (
            counted[:, later] - counted[:, first : first + 1]
            for counted in (below[:, SOFT], of_all)
        )
        dice = {
            AIR: _dice(below[:, AIR, first], of_all[:, first], of_class[:, AIR, 0])[:, None],
            SOFT: _dice(right, called, of_class[:, SOFT]),
            BONE: _dice(
                of_class[:, BONE] - below[:, BONE, later],
                of_all[:, -1:] - of_all[:, later],
                of_class[:, BONE],
            ),
        }
        means = [dice[c][known[:, c]].mean(axis=0) for c in dice if known[:, c].any()]
        mean_dice = sum(means) / len(means)
        second = int(np.argmax(mean_dice))
        if mean_dice[second] > best.mean_dice:
            pair = float(borders[first]), float(borders[first + second])
            best = Learned(pair, float(mean_dice[second]))
    return best


def _below(ear: TissueCounts, bins: np.ndarray) -> np.ndarray:
    """Voxels of each class below each border of some bins (3, bins + 1)."""
    table = np.zeros((len(CLASSES), len(bins) + 1), np.int64)
    table[:, np.searchsorted(bins, ear.bins) + 1] = ear.counts
    return table.cumsum(axis=1)


def _dice(right: np.ndarray, called: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Dice of a class; 0 where there is no voxel of it, neither called so nor true."""
    return 2 * right / np.maximum(called + true, 1)


def seen_ct(ct: Volume, mask: np.ndarray, point_spread_mm: float) -> sitk.Image:
    """Return a CT on voxels as fine as its point spread lets see, continued outside the mask.

    Voxels are of at most a quarter of the point spread (full width at half maximum). Outside the
    mask the nearest value inside goes on, so that a deconvolution does not ring at its border.

    Raises
    ------
    InputError
        If no voxel is inside the mask.
    """
    fine_mm = point_spread_mm / VOXELS_PER_POINT_SPREAD
    [image] = shrink_volume(ct, fine_mm)
    [covered] = shrink_volume(Volume(mask, ct.grid), fine_mm)
    values = _continued(sitk.GetArrayFromImage(image), sitk.GetArrayViewFromImage(covered))
    return image_like(values, image)


def deconvolve(seen: sitk.Image, point_spread_mm: float, smoothness: float) -> sitk.Image:
    """Deconvolve an image by a Gaussian: Wiener's filter with a penalty on the Laplacian.

    Parameters
    ----------
    seen
        From :func:`seen_ct`, HU.
    point_spread_mm
        Full width at half maximum of the Gaussian.
    smoothness
        Weight of the penalty, without a unit: the Laplacian is that of voxels as large as the
        point spread.

    Returns
    -------
    SimpleITK.Image
        On the same grid, HU, float32.
    """
    values = sitk.GetArrayViewFromImage(seen)
    spread_voxels = point_spread_mm / np.array(spacing_zyx(seen))
    # A Laplacian of voxels as large as the point spread is larger by this, squared.
    balance = smoothness * float(np.prod(spread_voxels)) ** (4 / 3)
    margin = [int(np.ceil(MARGIN_IN_POINT_SPREADS * n)) for n in spread_voxels]
    padded = np.pad(values, _padding(values.shape, margin), mode="edge")
    # Its own clipping is for images between -1 and 1.
    result = wiener(padded, _gaussian(spread_voxels), balance, clip=False)
    inner = tuple(slice(m, m + n) for m, n in zip(margin, values.shape, strict=True))
    return image_like(result[inner].astype(np.float32), seen)


def blur(volume: Volume, point_spread_mm: float) -> sitk.Image:
    """Blur a volume to a point spread (full width at half maximum), on voxels as `seen_ct`'s.

    Where slabs have NaN (:class:`otosynth.volumes.measured.MarkedVolume`) the nearest value goes
    on.
    """
    image, _ = filled(*shrink_volume(volume, point_spread_mm / VOXELS_PER_POINT_SPREAD))
    return smooth(image, point_spread_mm)


def slabs_on_grid(image: sitk.Image, grid: Grid) -> Slabs:
    """Bring an image to a grid slab by slab, linearly: rows along z, float32 (rows, y, x)."""
    for rows in slabs_of(grid.shape):
        part = grid.slab(rows)
        reference = part.image(np.zeros(part.shape, np.uint8))
        yield rows, sitk.GetArrayFromImage(onto_grid(image, reference, interpolate=True))


def on_grid(image: sitk.Image, grid: Grid, folder: Path) -> np.ndarray:
    """Bring an image to a grid as a whole; a large volume lies in a file in ``folder``."""
    result = new_volume(grid.shape, folder)
    for rows, slab in slabs_on_grid(image, grid):
        result[rows] = slab
        let_go(result[rows])
    return result


def _continued(values: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Let the nearest value inside go on outside; ``covered`` is the share of a voxel inside."""
    inside = covered > WHOLE
    if not inside.any():
        inside = covered > 0
    if not inside.any():
        raise InputError("no voxel of the CT is inside the mask, so it cannot be deconvolved.")
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def _padding(shape: Sequence[int], margin: Sequence[int]) -> list[tuple[int, int]]:
    """Voxels to add on both sides of each axis: the margin at least, up to a length fast to do."""
    lengths = [fft.next_fast_len(n + 2 * m, real=True) for n, m in zip(shape, margin, strict=True)]
    return [(m, length - n - m) for n, m, length in zip(shape, margin, lengths, strict=True)]


def _gaussian(fwhm_voxels: np.ndarray) -> np.ndarray:
    """Return a Gaussian of sum one, odd along each axis, four standard deviations to each side."""
    sigma = fwhm_voxels / FWHM_PER_SIGMA
    axes = [
        np.arange(-n, n + 1) / s for s, n in zip(sigma, np.ceil(4 * sigma).astype(int), strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    kernel = np.exp(-(z**2 + y**2 + x**2) / 2)
    return np.asarray(kernel / kernel.sum())


def best_smoothness(learned: Iterable[Learned]) -> int:
    """Return the number of the smoothness whose thresholds are best; of equal ones the first."""
    return int(np.argmax([one.mean_dice for one in learned]))
