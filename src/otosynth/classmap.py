"""The class map: three-class Otsu on the micro-CT, then the custom closing (Figure 2).

Arrays are z, y, x; class numbers are those of :mod:`otosynth.tissues`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_multiotsu

from otosynth.configuration.classmap import ClassMapSettings
from otosynth.errors import InputError
from otosynth.tissues import AIR, BONE, CLASSES, SOFT

THESIS_VOXEL_UM = 37.6
# The logarithm is taken as of an 8-bit grey level, so it does not depend on the scan's unit.
GREY_LEVELS = 255
# Later classes overwrite earlier ones: priority soft over air over bone (method.md section 4).
WRITING_ORDER = (BONE, AIR, SOFT)


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

    Raises
    ------
    InputError
        If the mask is empty or the histogram has fewer than three levels.
    """
    thresholds = otsu_thresholds(microct[mask.astype(bool)], settings)
    labels = apply_thresholds(microct, thresholds)
    radius_um = closing_radius_um(spacing_mm, settings)
    return ClassMap(close_classes(labels, spacing_mm, radius_um), thresholds)


def histogram(values: np.ndarray, settings: ClassMapSettings) -> Histogram:
    """Count intensities in the window, in bins of equal width on the chosen scale.

    Raises
    ------
    InputError
        If there is no value, or none inside the window.
    """
    if values.size == 0:
        raise InputError("the class map's mask holds no voxel, so there is nothing to threshold.")
    lowest, highest = float(values.min()), float(values.max())
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
    counts, _ = np.histogram(values, bins=edges)
    return Histogram(counts, edges)


def otsu_thresholds(values: np.ndarray, settings: ClassMapSettings) -> tuple[float, float]:
    """Three-class Otsu thresholds of intensities: air below the first, bone from the second.

    Method.md section 4; the histogram may be limited to a window or logarithmic. A threshold
    that falls into a gap of the histogram is put in the middle of the gap.

    Raises
    ------
    InputError
        If fewer than three levels of the histogram are occupied.
    """
    counted = histogram(values, settings)
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
    above = [volume >= threshold for threshold in thresholds]
    return above[0].astype(np.uint8) + above[1]


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
    return closing_steps(class_map, spacing_mm, radius_um).result


def closing_steps(
    class_map: np.ndarray, spacing_mm: tuple[float, float, float], radius_um: float
) -> ClosingSteps:
    """Do as :func:`close_classes` and keep every step for Figure 2."""
    ball = _ball(spacing_mm, radius_um)
    binary = {c: class_map == c for c in (AIR, SOFT, BONE)}
    closed = {c: _close(image, ball) for c, image in binary.items()}
    result = np.empty(class_map.shape, dtype=np.uint8)
    for c in WRITING_ORDER:
        result[closed[c]] = c
    return ClosingSteps(binary, closed, result)


def _close(image: np.ndarray, ball: np.ndarray) -> np.ndarray:
    """Dilate then erode, padded by the ball so that nothing is lost at the border."""
    margin = [(n // 2, n // 2) for n in ball.shape]
    closed = ndimage.binary_closing(np.pad(image, margin), structure=ball)
    return closed[tuple(slice(low, -high or None) for low, high in margin)]


def _ball(spacing_mm: tuple[float, float, float], radius_um: float) -> np.ndarray:
    """Voxels whose centre lies within the radius, z, y, x, odd along each axis."""
    # The small surplus lets a radius of exactly one voxel reach the neighbour despite rounding.
    radius_mm = radius_um / 1000 * (1 + 1e-6)
    reach = [int(radius_mm / spacing) for spacing in spacing_mm]
    axes = [np.arange(-n, n + 1) * spacing for n, spacing in zip(reach, spacing_mm, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    return z**2 + y**2 + x**2 <= radius_mm**2
