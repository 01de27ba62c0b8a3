"""Reported scores, calculated again from stored predictions by other code than the study's.

Nothing of :mod:`otosynth.metrics` or :mod:`otosynth.evaluation` is used: overlaps are SimpleITK's,
distances a k-d tree's, means numpy's in double precision, and volumes come onto the micro-CT grid
by scipy. Definitions are those of method.md section 8.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.metrics import peak_signal_noise_ratio

from otosynth.audit.recompute_field import field_scores_of
from otosynth.errors import InputError
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Record, RecordTree
from otosynth.tissues import CLASSES
from otosynth.volumes.mapping import NIBABEL_ERRORS

# Scores are computed in single precision and means of millions of voxels; two ways to add them
# up agree this far.
RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-6
# What reading a missing or damaged volume or JSON file raises.
UNREADABLE = (*NIBABEL_ERRORS, EOFError, ValueError, KeyError)
SSIM_EDGE, SSIM_K1, SSIM_K2 = 7, 0.01, 0.03
STEP_OF_8_BITS, NEAR_GREY_LEVELS = 1 / 255, 16
LOCAL_MM = 0.5
COCHLEAR, COCHLEAR_CLASSES = ["cochlear_dice", "cochlear_mean_dice"], ("soft", "bone")
KEYS = ["specimen", "method", "seed", "grid", "class", "metric"]


@dataclass(frozen=True)
class Difference:
    """A reported score that the stored prediction does not give."""

    where: str
    reported: float
    recomputed: float


@dataclass(frozen=True)
class Volume:
    """Voxels x, y, z and the affine from voxels to mm, as nibabel reads them."""

    voxels: np.ndarray
    affine: np.ndarray

    @property
    def spacing_mm(self) -> np.ndarray:
        """Voxel size x, y, z."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def recompute(places: Places, tree: RecordTree) -> tuple[list[Difference], int]:
    """Compare every reported score with one calculated anew.

    Returns
    -------
    tuple
        What differs, and the number of reported scores.

    Raises
    ------
    InputError
        If a table or a stored prediction cannot be read, or a score is told twice.
    """
    reported = _read_table(places.results / "tables/scores.csv").fillna({"class": ""})
    missing = {*KEYS, "value"} - set(reported)
    if missing:
        raise InputError(f"scores.csv has no column {', '.join(sorted(missing))}.")
    twice = reported[reported.duplicated(KEYS)]
    if len(twice):
        raise InputError(f"scores.csv tells a score twice: {tuple(twice[KEYS].iloc[0])}.")
    known = reported.set_index(KEYS)["value"].to_dict()
    found: dict[tuple[object, ...], float] = {}
    for job, record in tree.records.items():
        if record["rule"] in RECALCULATED:
            w = record["wildcards"]
            prediction = (w["specimen"], w["method"], int(w["seed"]))
            found |= {(*prediction, *what): value for *what, value in _scores(places, job, record)}
    differences = [
        Difference(" ".join(map(str, where)), known.get(where, np.nan), found.get(where, np.nan))
        for where in sorted(known.keys() | found.keys(), key=str)
        if where not in known or where not in found or not _agree(known[where], found[where])
    ]
    return [*differences, *_views(places, reported)], len(known)


def _scores(places: Places, job: str, record: Record) -> list[tuple[str, str, str, float]]:
    try:
        return list(RECALCULATED[record["rule"]](places, record["roles"]))
    except UNREADABLE as error:
        raise InputError(f"{job}: its stored files cannot be read ({error}).") from None


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).") from None


def _agree(a: float, b: float) -> bool:
    return bool(np.isclose(a, b, RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE, equal_nan=True))


def _views(places: Places, scores: pd.DataFrame) -> Iterator[Difference]:
    """Compare the tables that only rearrange the scores."""
    for view, metrics, keys in (
        ("dice", ["dice"], ["specimen", "method", "class"]),
        ("cochlear_dice", COCHLEAR, ["specimen", "method", "class"]),
        ("perceptual_error", ["perceptual_error"], ["specimen", "method"]),
    ):
        rows = scores[scores["metric"].isin(metrics) & (scores["grid"] == "microct")]
        expected = rows.groupby(keys)["value"].mean()
        table = _read_table(places.results / f"tables/{view}.csv").fillna({"class": ""})
        shown = table.set_index(keys)[view]
        for key in sorted(set(expected.index) | set(shown.index)):
            if not _agree(shown.get(key, np.nan), expected.get(key, np.nan)):
                where = f"{view}.csv {key}"
                yield Difference(where, shown.get(key, np.nan), expected.get(key, np.nan))


def scores_of(
    places: Places, roles: Mapping[str, list[str]]
) -> Iterator[tuple[str, str, str, float]]:
    """Yield grid, class, metric and value of one prediction.

    Parameters
    ----------
    roles
        Names of the files that its scores were computed from, by their roles.
    """
    files = {role: [places.path_of(name) for name in names] for role, names in roles.items()}
    stored = ("classmap", "microct", "segmented")
    predicted = {name: _read(files[name][0]) for name in stored if files[name]}
    truth = {name: _read(files[f"truth_{name}"][0]) for name in ("classmap", "microct")}
    truth["mask"] = _read(files["mask"][0])
    own = {path.stem: _read(path) for path in files["own_grid"]}
    window = json.loads(files["normalisation"][0].read_text(encoding="utf-8"))["microct"]
    low, high = float(window["low"]), float(window["high"])
    brought = {
        name: _onto(volume, truth["mask"], 1 if name == "microct" else 0)
        for name, volume in predicted.items()
    }
    for grid, volumes, target in (("microct", brought, truth), ("own", predicted, own)):
        if not target:
            continue
        mask = target["mask"].voxels > 0
        of_classes = list(_class_scores(volumes["classmap"], target["classmap"], mask))
        for name, metric, value in of_classes:
            yield grid, name, metric, value
        if grid == "microct":
            yield grid, "", "mean_dice", _mean_dice(of_classes)
        if "microct" in volumes:
            for name, metric, value in _microct_scores(volumes["microct"], target, low, high):
                yield grid, name, metric, value
    region = (truth["mask"].voxels > 0) & (_read(files["cochlea"][0]).voxels > 0)
    overlaps = _overlaps(brought["classmap"], truth["classmap"], region)
    at_cochlea = [overlaps[name] for name in COCHLEAR_CLASSES]
    for name, value in zip(COCHLEAR_CLASSES, at_cochlea, strict=True):
        yield "microct", name, "cochlear_dice", value
    yield "microct", "", "cochlear_mean_dice", _mean_of_known(at_cochlea)
    if "segmented" in brought:
        mask = truth["mask"].voxels > 0
        seen = list(_class_scores(brought["segmented"], truth["classmap"], mask))
        for name, metric, value in seen:
            yield "microct", name, f"perceptibility_{metric}", value
        yield "microct", "", "s_score", _mean_dice(seen)


# The rules that give scores, and what calculates them again.
RECALCULATED = {"score_prediction": scores_of, "score_field": field_scores_of}


def _read(path: Path) -> Volume:
    image = nibabel.Nifti1Image.from_filename(path)
    return Volume(np.asanyarray(image.dataobj), image.affine)


def _onto(volume: Volume, reference: Volume, order: int) -> Volume:
    """Resample onto a reference's grid: nearest neighbour (order 0) or linear (order 1)."""
    shape = reference.voxels.shape
    if volume.voxels.shape == shape and np.allclose(volume.affine, reference.affine, atol=1e-6):
        return volume
    to_voxels = np.linalg.inv(volume.affine) @ reference.affine
    voxels = ndimage.affine_transform(
        volume.voxels, to_voxels, output_shape=shape, order=order, mode="nearest"
    )
    return Volume(voxels, reference.affine)


def _mean_of_known(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else np.nan


def _mean_dice(of_classes: list[tuple[str, str, float]]) -> float:
    return _mean_of_known([value for _, metric, value in of_classes if metric == "dice"])


def _labels(volumes: tuple[Volume, Volume], mask: np.ndarray) -> list[np.ndarray]:
    """Return class numbers from 1; outside the mask both are 0, a label that no class has."""
    return [np.where(mask, volume.voxels.astype(np.int16) + 1, 0) for volume in volumes]


def _overlaps(predicted: Volume, truth: Volume, mask: np.ndarray) -> dict[str, float]:
    """Return the Dice of each class inside a mask; NaN where neither has it."""
    labels = _labels((truth, predicted), mask)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*(sitk.GetImageFromArray(array) for array in labels))
    present = {number for array in labels for number in np.unique(array)}
    return {
        name: overlap.GetDiceCoefficient(number) if number in present else np.nan
        for number, name in enumerate(CLASSES, start=1)
    }


def _class_scores(
    predicted: Volume, truth: Volume, mask: np.ndarray
) -> Iterator[tuple[str, str, float]]:
    overlaps = _overlaps(predicted, truth, mask)
    labels = _labels((truth, predicted), mask)
    for number, name in enumerate(CLASSES, start=1):
        yield name, "dice", overlaps[name]
        edges = [_edge_points(array, number) * truth.spacing_mm for array in labels]
        if not all(len(points) for points in edges):
            yield name, "assd_mm", np.nan
            yield name, "hd95_mm", np.nan
            continue
        there = KDTree(edges[1]).query(edges[0])[0]
        back = KDTree(edges[0]).query(edges[1])[0]
        yield name, "assd_mm", (there.sum() + back.sum()) / (len(there) + len(back))
        yield name, "hd95_mm", max(np.quantile(there, 0.95), np.quantile(back, 0.95))


def _edge_points(labels: np.ndarray, number: int) -> np.ndarray:
    """Voxels of a class with a face to another class; 0, outside the mask, is no class."""
    edge = np.zeros(labels.shape, bool)
    for axis in range(3):
        first = [slice(None)] * 3
        second = [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = labels[tuple(first)], labels[tuple(second)]
        border = (a != b) & (a > 0) & (b > 0)
        edge[tuple(first)] |= border & (a == number)
        edge[tuple(second)] |= border & (b == number)
    return np.argwhere(edge)


def _microct_scores(
    synthetic: Volume, truth: Mapping[str, Volume], low: float, high: float
) -> Iterator[tuple[str, str, float]]:
    mask, classes = truth["mask"].voxels > 0, truth["classmap"].voxels
    real, fake = (v.voxels.astype(np.float64) for v in (truth["microct"], synthetic))
    y, g = (np.clip((volume - low) / (high - low), 0, 1) for volume in (real, fake))
    error = np.abs(y - g)
    yield "", "perceptual_error", float((error[mask] / np.maximum(y[mask], STEP_OF_8_BITS)).mean())
    yield "", "mean_absolute_error", float(np.abs(real - fake)[mask].mean())
    similarity = _ssim(y * mask, g * mask)
    near = _near_soft_tissue(truth["classmap"], mask)
    for suffix, region in (("", mask), ("_local", near)):
        known = bool(region.any())
        psnr = peak_signal_noise_ratio(y[region], g[region], data_range=1) if known else np.nan
        yield "", f"psnr{suffix}_db", float(psnr)
        yield "", f"ssim{suffix}", float(similarity[region].mean()) if known else np.nan
    right = error <= NEAR_GREY_LEVELS * STEP_OF_8_BITS
    for number, name in enumerate(CLASSES):
        of_class = right[mask & (classes == number)]
        yield name, "pixel_accuracy", float(of_class.mean()) if of_class.size else np.nan


def _near_soft_tissue(classmap: Volume, mask: np.ndarray) -> np.ndarray:
    """Voxels inside the mask within half a millimetre of soft tissue, by a k-d tree."""
    soft = (classmap.voxels == CLASSES.index("soft")) & mask
    if not soft.any():
        return soft
    spacing_mm = classmap.spacing_mm
    reach = np.ceil(LOCAL_MM / spacing_mm).astype(int)
    candidates = ndimage.maximum_filter(soft, tuple(2 * reach + 1)) & mask & ~soft
    surface = KDTree(np.argwhere(soft & ~ndimage.binary_erosion(soft)) * spacing_mm)
    # Beyond the bound a distance is infinite; the slack is for how a header's spacing is rounded.
    bound_mm = LOCAL_MM * (1 + 1e-6)
    distance_mm, _ = surface.query(
        np.argwhere(candidates) * spacing_mm, distance_upper_bound=bound_mm
    )
    near = soft.copy()
    near[candidates] = np.isfinite(distance_mm)
    return near


def _ssim(y: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang 2004) of cubic windows, by running sums."""
    mean_y, mean_g = _box_mean(y), _box_mean(g)
    # Of a sample, not of a population.
    correction = SSIM_EDGE**3 / (SSIM_EDGE**3 - 1)
    variance_y = correction * (_box_mean(y * y) - mean_y**2)
    variance_g = correction * (_box_mean(g * g) - mean_g**2)
    covariance = correction * (_box_mean(y * g) - mean_y * mean_g)
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    similarity: np.ndarray = ((2 * mean_y * mean_g + c1) * (2 * covariance + c2)) / (
        (mean_y**2 + mean_g**2 + c1) * (variance_y + variance_g + c2)
    )
    return similarity


def _box_mean(volume: np.ndarray) -> np.ndarray:
    """Mean over a cube around each voxel; the volume is mirrored at its border."""
    half = SSIM_EDGE // 2
    for axis in range(3):
        pad = [(0, 0)] * 3
        pad[axis] = (half + 1, half)
        sums = np.cumsum(np.pad(volume, pad, mode="symmetric"), axis=axis)
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(SSIM_EDGE, None), slice(None, -SSIM_EDGE)
        volume = (sums[tuple(ahead)] - sums[tuple(behind)]) / SSIM_EDGE
    return volume
