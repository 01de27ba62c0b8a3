"""The class map: three-class Otsu on the micro-CT, then the custom closing (Figure 2).

Arrays are z, y, x; class numbers are those of :mod:`otosynth.tissues`. Volumes are gone through
slab by slab, so that a step needs little more memory than its result, and works within the cache;
parts of a mapped file are let go once they were seen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from skimage.filters import threshold_multiotsu

from otosynth.configuration.classmap import ClassMapSettings
from otosynth.errors import InputError
from otosynth.tissues import AIR, BONE, CLASSES, SOFT
from otosynth.volumes.mapping import let_go
from otosynth.volumes.measured import Padding, continued
from otosynth.volumes.slabs import slabs_of

THESIS_VOXEL_UM = 37.6
# The logarithm is taken as of an 8-bit grey level, so it does not depend on the scan's unit.
GREY_LEVELS = 255
# Stands for no class, in the closing alone: a bit beyond those of the classes, which is then lost.
NO_CLASS = 8
# Voxels that one step works on: a few MB, which the cache of a processor holds.
SLAB_VOXELS = 2**21


@dataclass(frozen=True)
class ClassMap:
    """A class map (uint8, z, y, x) and the two thresholds in micro-CT intensities."""

    labels: np.ndarray
    thresholds: tuple[float, float]


@dataclass(frozen=True)
class ClosingSteps:
    """The steps of Figure 2: binary images by class number before and after, and the result."""

    binary: Mapping[int, np.ndarray]
    closed: Mapping[int, np.ndarray]
    result: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """Counts of intensities; ``edges`` are in micro-CT intensities, one more than counts."""

    counts: np.ndarray
    edges: np.ndarray


def class_map_from_microct(
    microct: np.ndarray,
    mask: np.ndarray,
    spacing_mm: tuple[float, float, float],
    settings: ClassMapSettings,
    padding: Padding | None = None,
) -> ClassMap:
    """Classify every voxel; the thresholds come from the voxels inside the mask.

    Parameters
    ----------
    microct
        Intensities, z, y, x.
    mask
        True where the thresholds may look, same shape.
    spacing_mm
        Voxel size z, y, x in mm.
    padding
        What of the micro-CT was not measured. It is of no class in the closing, and gets the class
        of the nearest measured voxel of its slice, as what lies beyond the volume does.

    Raises
    ------
    InputError
        If the mask is empty or the histogram has fewer than three levels.
    """
    thresholds = otsu_thresholds(microct, settings, mask)
    ball = _ball(spacing_mm, closing_radius_um(spacing_mm, settings))
    labels = np.empty(microct.shape, dtype=np.uint8)

    def classes(rows: slice) -> np.ndarray:
        some = apply_thresholds(microct[rows], thresholds)
        if padding is not None:
            some[padding.of(microct[rows], rows)] = NO_CLASS
        return some

    # The classes before the closing are never there as a whole.
    for rows, bits in _closed_slabs(classes, microct.shape, ball):
        labels[rows] = _recombined(bits)
        # Also the rows before, which this slab has seen again.
        let_go(microct[: rows.stop])
    if padding is not None:
        labels = continued(labels, padding.of(microct, slice(0, len(microct))))
    return ClassMap(labels, thresholds)


def histogram(
    values: np.ndarray, settings: ClassMapSettings, mask: np.ndarray | None = None
) -> Histogram:
    """Count intensities in the window, in bins of equal width on the chosen scale.

    Parameters
    ----------
    values
        Intensities of any shape.
    mask
        True or not zero where they count, same shape; None: everywhere.

    Raises
    ------
    InputError
        If there is no value, or none inside the window.
    """
    ends = [(chosen.min(), chosen.max()) for chosen in _chosen(values, mask)]
    if not ends:
        raise InputError("the class map's mask holds no voxel, so there is nothing to threshold.")
    lowest, highest = float(np.min(ends)), float(np.max(ends))
    low, high = settings.window or (lowest, highest)
    if low == high or highest < low or lowest > high:
        raise InputError(
            f"no range of micro-CT intensities between {low:g} and {high:g} (found {lowest:g} to "
            f"{highest:g}); change the class map's window."
        )
    relative = np.linspace(0, 1, settings.bins + 1)
    if settings.logarithmic:
        relative = np.expm1(relative * np.log1p(GREY_LEVELS)) / GREY_LEVELS
    edges = low + relative * (high - low)
    # Rounding must not push the highest intensity out of the last bin.
    edges[-1] = high
    counts = np.zeros(settings.bins, np.int64)
    for chosen in _chosen(values, mask):
        counts += np.histogram(chosen, bins=edges)[0]
    return Histogram(counts, edges)


def _chosen(values: np.ndarray, mask: np.ndarray | None) -> Iterator[np.ndarray]:
    """Slab by slab the values inside the mask; slabs with none are left out."""
    for rows in slabs_of(values.shape, SLAB_VOXELS):
        chosen = values[rows]
        if mask is not None:
            chosen = chosen[mask[rows].astype(bool, copy=False)]
            let_go(mask[rows])
        if chosen.size:
            yield chosen
        let_go(values[rows])


def otsu_thresholds(
    values: np.ndarray, settings: ClassMapSettings, mask: np.ndarray | None = None
) -> tuple[float, float]:
    """Three-class Otsu thresholds of intensities: air below the first, bone from the second.

    Method.md section 4; the histogram may be limited to a window or logarithmic. A threshold
    that falls into a gap of the histogram is put in the middle of the gap. Parameters are those
    of :func:`histogram`.

    Raises
    ------
    InputError
        If fewer than three levels of the histogram are occupied.
    """
    counted = histogram(values, settings, mask)
    occupied = np.flatnonzero(counted.counts)
    if len(occupied) < len(CLASSES):
        raise InputError(
            f"the micro-CT has {len(occupied)} grey level(s) between {counted.edges[0]:g} and "
            f"{counted.edges[-1]:g}, and three tissues need three at least; "
            "change the class map's window or use more bins."
        )
    # skimage returns the bins where a class ends; here by number, to find the gap after them.
    numbers = np.arange(len(counted.counts))
    ends = threshold_multiotsu(hist=(counted.counts, numbers), classes=len(CLASSES))
    first, second = (_middle_of_gap(counted.edges, occupied, int(end)) for end in ends)
    return first, second


def _middle_of_gap(edges: np.ndarray, occupied: np.ndarray, end: int) -> float:
    """Intensity halfway between the last occupied bin up to ``end`` and the next one."""
    last = occupied[occupied <= end].max()
    following = occupied[occupied > end].min()
    return float((edges[last + 1] + edges[following]) / 2)


def apply_thresholds(volume: np.ndarray, thresholds: tuple[float, float]) -> np.ndarray:
    """Classify intensities: below the first threshold air, from the second on bone (uint8)."""
    labels = np.empty(volume.shape, np.uint8)
    first, second = thresholds
    for rows in slabs_of(volume.shape, SLAB_VOXELS):
        np.add(volume[rows] >= first, volume[rows] >= second, out=labels[rows], dtype=np.uint8)
    return labels


def class_counts(labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Count the voxels of air, soft tissue and bone where the mask is not zero (3,)."""
    counts = np.zeros(len(CLASSES), np.int64)
    for rows in slabs_of(labels.shape, SLAB_VOXELS):
        inside = mask[rows] > 0
        counts += [np.count_nonzero((labels[rows] == c) & inside) for c in range(len(CLASSES))]
        let_go(mask[rows])
    return counts


def closing_radius_um(spacing_mm: tuple[float, float, float], settings: ClassMapSettings) -> float:
    """Radius of the closing ball: the configured one, or the larger of 37.6 um and one voxel."""
    if settings.closing_radius_um is not None:
        return settings.closing_radius_um
    return max(THESIS_VOXEL_UM, 1000 * max(spacing_mm))


def close_classes(
    class_map: np.ndarray, spacing_mm: tuple[float, float, float], radius_um: float
) -> np.ndarray:
    """Close each class and recombine with priority soft, air, bone (Figure 2), uint8.

    Parameters
    ----------
    class_map
        Class numbers, z, y, x.
    spacing_mm
        Voxel size z, y, x in mm; the ball is round in mm, not in voxels.
    radius_um
        Radius of the ball in um; below one voxel nothing changes.
    """
    ball = _ball(spacing_mm, radius_um)
    result = np.empty(class_map.shape, dtype=np.uint8)
    for rows, bits in _closed_slabs(class_map.__getitem__, class_map.shape, ball):
        result[rows] = _recombined(bits)
    return result


def closing_steps(
    class_map: np.ndarray, spacing_mm: tuple[float, float, float], radius_um: float
) -> ClosingSteps:
    """Do as :func:`close_classes` and keep every step for Figure 2."""
    ball = _ball(spacing_mm, radius_um)
    binary = {c: class_map == c for c in (AIR, SOFT, BONE)}
    closed = {c: np.empty(class_map.shape, dtype=bool) for c in binary}
    result = np.empty(class_map.shape, dtype=np.uint8)
    for rows, bits in _closed_slabs(class_map.__getitem__, class_map.shape, ball):
        for c, image in closed.items():
            image[rows] = bits & (1 << c)
        result[rows] = _recombined(bits)
    return ClosingSteps(binary, closed, result)


def _recombined(bits: np.ndarray) -> np.ndarray:
    """Return a class for the bits of those that cover a voxel: soft before air before bone."""
    soft = (bits >> SOFT) & 1
    bone = (bits & (1 << SOFT | 1 << AIR)) == 0
    # What is neither is air, whose number is 0.
    return soft * np.uint8(SOFT) + bone * np.uint8(BONE)


def _closed_slabs(
    labels_of: Callable[[slice], np.ndarray], shape: tuple[int, ...], ball: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Close all classes at once, slab by slab: bit c of a voxel says whether class c covers it.

    Dilation is the OR and erosion the AND of a voxel's neighbours in the ball, for every bit
    apart. No class is there beyond the border, so closing loses nothing there.

    Parameters
    ----------
    labels_of
        Gives some rows (along z) of the class map.
    shape
        Of the class map.
    """
    margin = [2 * (n // 2) for n in ball.shape]
    # Where rows are large, a slab is still some times its margins, which are computed twice.
    voxels = max(SLAB_VOXELS, 4 * margin[0] * shape[1] * shape[2])
    for rows in slabs_of(shape, voxels):
        first, last = rows.start - margin[0], rows.stop + margin[0]
        labels = labels_of(slice(max(first, 0), last)).astype(np.uint8, copy=False)
        beyond = (max(-first, 0), max(last - shape[0], 0))
        bits = np.left_shift(np.uint8(1), labels)
        bits = np.pad(bits, [beyond, *((n, n) for n in margin[1:])])
        yield rows, _under(ball, _under(ball, bits, np.bitwise_or), np.bitwise_and)


def _under(ball: np.ndarray, bits: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Combine the neighbours in the ball of every voxel whose neighbours are all there.

    The ball is made of runs along x, whose combinations grow from the shorter to the longer ones;
    the result is smaller than ``bits`` by the reach of the ball on each side.
    """
    depth, height, width = (n - m + 1 for n, m in zip(bits.shape, ball.shape, strict=True))
    above, before, reach = (n // 2 for n in ball.shape)
    run = bits[:, :, reach : reach + width]
    # The voxel itself is always in the ball.
    result = run[above : above + depth, before : before + height].copy()
    for half in range(reach + 1):
        if half:
            right = bits[:, :, reach + half : reach + half + width]
            run = combine(run, right)
            combine(run, bits[:, :, reach - half : reach - half + width], out=run)
        for z, y in np.argwhere(ball.sum(axis=2) == 2 * half + 1):
            combine(result, run[z : z + depth, y : y + height], out=result)
    return result


def _ball(spacing_mm: tuple[float, float, float], radius_um: float) -> np.ndarray:
    """Voxels whose centre lies within the radius, z, y, x, odd along each axis."""
    # The small surplus lets a radius of exactly one voxel reach the neighbour despite rounding.
    radius_mm = radius_um / 1000 * (1 + 1e-6)
    reach = [int(radius_mm / spacing) for spacing in spacing_mm]
    axes = [np.arange(-n, n + 1) * spacing for n, spacing in zip(reach, spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    return z**2 + y**2 + x**2 <= radius_mm**2
