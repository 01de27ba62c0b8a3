"""Scores of a prediction on the micro-CT grid, inside the mask (method.md section 8).

Arrays are z, y, x and of one shape; masks are boolean. A class that is absent where a score
needs it gives NaN, never a made-up number.
"""

import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.metrics import structural_similarity

from otosynth.distances import Spacing, within_distance
from otosynth.tissues import CLASSES, SOFT

# Least micro-CT value (of 1) that Eq. 8 divides by, one step of an 8-bit image; method.md 8.
FLOOR = 1 / 255
HAUSDORFF_PERCENTILE = 95
# A voxel is right when it is this near to the truth (Guo 2021, Table I).
GREY_LEVELS_AT_MOST, GREY_LEVELS = 16, 255
# How far round the soft tissue the local scores look; method.md 8.
LOCAL_MARGIN_MM = 0.5
# Air is left out: the nearest lies in the middle ear.
COCHLEAR_CLASSES = ("soft", "bone")

Window = tuple[float, float]


def score_class_map(
    truth: np.ndarray, predicted: np.ndarray, mask: np.ndarray, spacing_mm: Spacing
) -> pd.DataFrame:
    """Score a class map against the true one.

    Parameters
    ----------
    truth, predicted
        Class numbers of :mod:`otosynth.tissues`.
    mask
        True where the score looks.
    spacing_mm
        Voxel size z, y, x in mm.

    Returns
    -------
    pandas.DataFrame
        Long: columns class, metric (dice, assd_mm, hd95_mm), value.
    """
    rows = [(name, "dice", value) for name, value in dice(truth, predicted, mask).items()]
    for name, surface in surface_distances(truth, predicted, mask, spacing_mm).items():
        rows.append((name, "assd_mm", assd(*surface)))
        rows.append((name, "hd95_mm", hd95(*surface)))
    return pd.DataFrame(rows, columns=["class", "metric", "value"])


def mean_dice(scores: pd.DataFrame) -> float:
    """Return the mean Dice over the classes of a table of :func:`score_class_map`.

    A class absent from both maps has no Dice and is not in the mean; NaN without any.
    """
    return float(scores.loc[scores["metric"] == "dice", "value"].mean())


def score_segmentation_of_synthetic(
    truth_classmap: np.ndarray, segmented: np.ndarray, mask: np.ndarray, spacing_mm: Spacing
) -> pd.DataFrame:
    """Score what a segmentor trained on real micro-CT sees in a synthetic one.

    Perceptibility is the score of each class (Wu 2023, 4.1); the S-score is the mean Dice over
    the classes (Zhang 2018, 5.2). A class absent from both maps has no Dice and is not in the mean.

    Parameters
    ----------
    truth_classmap
        True class numbers of :mod:`otosynth.tissues`.
    segmented
        Class numbers that the segmentor gives the synthetic micro-CT.
    mask
        True where the score looks.
    spacing_mm
        Voxel size z, y, x in mm.

    Returns
    -------
    pandas.DataFrame
        Long: columns class, metric (perceptibility_dice, perceptibility_assd_mm,
        perceptibility_hd95_mm; s_score with an empty class), value.
    """
    scores = score_class_map(truth_classmap, segmented, mask, spacing_mm)
    s_score = mean_dice(scores)
    scores["metric"] = "perceptibility_" + scores["metric"]
    scores.loc[len(scores)] = ["", "s_score", s_score]
    return scores


def score_cochlea(
    truth: np.ndarray, predicted: np.ndarray, mask: np.ndarray, region: np.ndarray
) -> pd.DataFrame:
    """Score a class map at the cochlea (:mod:`otosynth.cochlea`).

    Parameters
    ----------
    truth, predicted
        Class numbers of :mod:`otosynth.tissues`.
    mask
        True where the score looks.
    region
        True at the cochlea; nowhere where its place is not known, which gives NaN.

    Returns
    -------
    pandas.DataFrame
        Long: columns class, metric (cochlear_dice of soft tissue and of bone; with an empty
        class cochlear_mean_dice, their mean), value. A class absent from both maps has no Dice
        and is not in the mean.
    """
    found = dice(truth, predicted, mask & region)
    rows = [(name, "cochlear_dice", found[name]) for name in COCHLEAR_CLASSES]
    scores = pd.DataFrame(rows, columns=["class", "metric", "value"])
    scores.loc[len(scores)] = ["", "cochlear_mean_dice", scores["value"].mean()]
    return scores


def score_microct(
    truth: np.ndarray,
    synthetic: np.ndarray,
    classmap: np.ndarray,
    mask: np.ndarray,
    window: Window,
    spacing_mm: Spacing,
) -> pd.DataFrame:
    """Score a synthetic micro-CT against the true one.

    Parameters
    ----------
    truth, synthetic
        Intensities in the micro-CT's own unit.
    classmap
        True class numbers of :mod:`otosynth.tissues`.
    mask
        True where the score looks.
    window
        Micro-CT intensities that mean 0 and 1, for the scores on a relative scale.
    spacing_mm
        Voxel size z, y, x in mm.

    Returns
    -------
    pandas.DataFrame
        Long: columns class, metric, value. With an empty class: perceptual_error, psnr_db, ssim,
        mean_absolute_error, and psnr_local_db and ssim_local, which look at
        :func:`local_region` (NaN where it is empty). For each class: pixel_accuracy.
    """
    region = local_region(classmap, mask, spacing_mm)
    somewhere = bool(region.any())
    similarity = _similarity(truth, synthetic, window, mask)
    values = {
        "perceptual_error": perceptual_error(truth, synthetic, window, mask),
        "psnr_db": psnr(truth, synthetic, window, mask),
        "ssim": _mean(similarity, mask),
        "mean_absolute_error": mean_absolute_error(truth, synthetic, mask),
        "psnr_local_db": psnr(truth, synthetic, window, region) if somewhere else float("nan"),
        "ssim_local": _mean(similarity, region) if somewhere else float("nan"),
    }
    accuracy = pixel_accuracy(truth, synthetic, classmap, mask, window)
    rows = [("", metric, value) for metric, value in values.items()]
    rows += [(name, "pixel_accuracy", value) for name, value in accuracy.items()]
    return pd.DataFrame(rows, columns=["class", "metric", "value"])


def dice(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Dice of each class, 2 |A and B| / (|A| + |B|) (Eq. 7); NaN if absent from both."""
    a_inside, b_inside = a[mask], b[mask]
    scores = {}
    for number, name in enumerate(CLASSES):
        in_a, in_b = a_inside == number, b_inside == number
        total = np.count_nonzero(in_a) + np.count_nonzero(in_b)
        both = np.count_nonzero(in_a & in_b)
        scores[name] = 2 * both / total if total else float("nan")
    return scores


def perceptual_error(
    microct: np.ndarray, synthetic: np.ndarray, window: Window, mask: np.ndarray
) -> float:
    """Mean of |y - G(x)| / y inside the mask (Eq. 8).

    Both volumes are scaled to [0, 1] by the micro-CT window and y is floored at 1/255, so that
    air does not divide by zero (Decision in method.md section 8).
    """
    y = _scaled(microct[mask], window)
    error = np.abs(y - _scaled(synthetic[mask], window))
    return float(np.mean(error / np.maximum(y, FLOOR)))


def psnr(microct: np.ndarray, synthetic: np.ndarray, window: Window, mask: np.ndarray) -> float:
    """Peak signal-to-noise ratio inside the mask in dB; the window's width is the peak."""
    y, predicted = _scaled(microct[mask], window), _scaled(synthetic[mask], window)
    if np.array_equal(y, predicted):
        return float("inf")
    # Not scikit-image's: it imports all of scipy.stats for this line.
    return float(-10 * np.log10(np.mean((y - predicted) ** 2, dtype=np.float64)))


def ssim(microct: np.ndarray, synthetic: np.ndarray, window: Window, mask: np.ndarray) -> float:
    """Structural similarity (7^3 windows), averaged over the voxels inside the mask.

    Outside the mask both volumes are set to 0, so that what lies there does not differ.
    """
    return _mean(_similarity(microct, synthetic, window, mask), mask)


def mean_absolute_error(microct: np.ndarray, synthetic: np.ndarray, mask: np.ndarray) -> float:
    """Mean of |y - G(x)| inside the mask, in the micro-CT's own unit."""
    difference = microct[mask].astype(np.float64) - synthetic[mask]
    return float(np.mean(np.abs(difference)))


def pixel_accuracy(
    truth: np.ndarray,
    synthetic: np.ndarray,
    classmap: np.ndarray,
    mask: np.ndarray,
    window: Window,
) -> dict[str, float]:
    """Share of each class's voxels within 16 of 255 grey levels of the truth (Guo 2021, Table I).

    Black and white are the ends of the micro-CT window, to which both volumes are clipped; grey
    levels are not rounded. NaN where the true class map has no such voxel inside the mask.

    Parameters
    ----------
    truth, synthetic
        Intensities in the micro-CT's own unit.
    classmap
        True class numbers of :mod:`otosynth.tissues`.
    window
        Micro-CT intensities of grey level 0 and 255.
    """
    low, high = window
    y, predicted = (np.clip(v[mask].astype(np.float32), low, high) for v in (truth, synthetic))
    right = np.abs(y - predicted) <= GREY_LEVELS_AT_MOST * (high - low) / GREY_LEVELS
    classes = classmap[mask]
    shares = {}
    for number, name in enumerate(CLASSES):
        of_class = right[classes == number]
        shares[name] = float(np.mean(of_class)) if of_class.size else float("nan")
    return shares


def local_region(classmap: np.ndarray, mask: np.ndarray, spacing_mm: Spacing) -> np.ndarray:
    """Voxels inside the mask at most 0.5 mm from true soft tissue inside it, as booleans.

    The counterpart of the box round the tumour of local SSIM and PSNR (Wu 2023, 4.1), which
    would here be the whole ear.

    Parameters
    ----------
    classmap
        True class numbers of :mod:`otosynth.tissues`.
    mask
        True where the score looks.
    spacing_mm
        Voxel size z, y, x in mm.
    """
    region = within_distance((classmap == SOFT) & mask, LOCAL_MARGIN_MM, spacing_mm)
    region &= mask
    return region


def near_class_borders(
    classmap: np.ndarray, mask: np.ndarray, radius_mm: float, spacing_mm: Spacing
) -> np.ndarray:
    """Return the voxels whose centre is at most a radius from that of another class's voxel.

    Parameters
    ----------
    classmap
        Class numbers of :mod:`otosynth.tissues`.
    mask
        True where the classes count, in both voxels.
    radius_mm
        How near, in mm.
    spacing_mm
        Voxel size z, y, x in mm.
    """
    near = np.zeros(mask.shape, bool)
    for number in range(len(CLASSES)):
        of_class = (classmap == number) & mask
        near |= within_distance(mask & ~of_class, radius_mm, spacing_mm) & of_class
    return near


def surface_distances(
    a: np.ndarray, b: np.ndarray, mask: np.ndarray, spacing_mm: Spacing
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Distances in mm from each class's surface in a to that in b, and back.

    Both arrays are empty where a class is absent from a or b. The border of the mask and of
    the volume is no surface: there the class is cut off by the field of view, in both alike.

    Parameters
    ----------
    spacing_mm
        Voxel size z, y, x in mm.
    """
    box = _bounding_box(mask)
    a, b, mask = a[box], b[box], mask[box]
    distances = {}
    for number, name in enumerate(CLASSES):
        edges = [_surface(labels == number, mask) for labels in (a, b)]
        distances[name] = _both_ways(edges[0], edges[1], spacing_mm)
    return distances


def assd(there_mm: np.ndarray, back_mm: np.ndarray) -> float:
    """Average symmetric surface distance in mm: the mean over the voxels of both surfaces."""
    if there_mm.size == 0 or back_mm.size == 0:
        return float("nan")
    return float(np.concatenate([there_mm, back_mm]).mean(dtype=np.float64))


def hd95(there_mm: np.ndarray, back_mm: np.ndarray) -> float:
    """95th percentile Hausdorff distance in mm: the larger of both directions."""
    if there_mm.size == 0 or back_mm.size == 0:
        return float("nan")
    return float(max(np.percentile(d, HAUSDORFF_PERCENTILE) for d in (there_mm, back_mm)))


def _scaled(volume: np.ndarray, window: Window) -> np.ndarray:
    """Scale intensities so that the window is [0, 1], and clip, in single precision."""
    low, high = window
    return np.clip((volume.astype(np.float32) - low) / (high - low), 0, 1)


def _similarity(
    microct: np.ndarray, synthetic: np.ndarray, window: Window, mask: np.ndarray
) -> np.ndarray:
    """Structural similarity of every voxel, both volumes set to 0 outside the mask."""
    y = np.where(mask, _scaled(microct, window), 0)
    predicted = np.where(mask, _scaled(synthetic, window), 0)
    _, similarity = structural_similarity(y, predicted, data_range=1.0, full=True)
    return similarity


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    return float(np.mean(values[mask], dtype=np.float64))


def _surface(inside: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Voxels of a class in the mask that touch another class inside the mask."""
    return inside & mask & ~ndimage.binary_erosion(inside | ~mask, border_value=1)


def _both_ways(a: np.ndarray, b: np.ndarray, spacing_mm: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Distances from surface a to surface b and from b to a, in mm."""
    if not (a.any() and b.any()):
        return np.empty(0), np.empty(0)
    box = _bounding_box(a | b)
    first, second = a[box], b[box]
    there = ndimage.distance_transform_edt(~second, sampling=spacing_mm)[first]
    back = ndimage.distance_transform_edt(~first, sampling=spacing_mm)[second]
    return there, back


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """Smallest box that holds all true voxels."""
    boxes = ndimage.find_objects(mask.astype(np.uint8))
    return boxes[0] if boxes else (slice(0, 0),) * mask.ndim
