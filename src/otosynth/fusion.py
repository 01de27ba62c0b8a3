"""How the class maps of several atlases become one (method.md section 8).

Majority voting is the rule of the group's earlier method (Sun 2021, Introduction). Beside it stand
votes weighted by local similarity (Artaechevarria 2009), and STAPLE (Warfield 2004; Rohlfing 2004
for several classes).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import uniform_filter

from otosynth.errors import InputError
from otosynth.tissues import CLASSES

NO_VOTE = 255
# Ties go to the first of these: soft tissue 1, air 0, bone 2.
TIE_ORDER = (1, 0, 2)
# Added to the mean squared difference (HU^2): far below the noise of a CT, so that it only keeps
# the weight of an identical one finite.
SIMILARITY_EPSILON = 1.0
# STAPLE stops by itself, at ITK's threshold; this many iterations only bound it.
STAPLE_ITERATIONS = 100
# Stands for a reliability of 0, which has no logarithm.
SMALLEST_RELIABILITY = 1e-12


def majority_vote(class_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Most frequent class of each voxel.

    Parameters
    ----------
    class_maps : arrays of one shape, air 0, soft tissue 1, bone 2; 255 abstains

    Returns
    -------
    np.ndarray
        uint8 of that shape, never 255. Ties go to soft tissue, then air, then bone (method.md
        section 8). Where every atlas abstains all classes tie, so the voxel is soft tissue.

    Raises
    ------
    InputError
        There is no class map, or their shapes differ.
    """
    _need_one_shape(class_maps, "Majority voting")
    return _winner(_votes(class_maps, label) for label in TIE_ORDER)


def locally_weighted_vote(
    class_maps: Sequence[np.ndarray],
    atlas_cts: Iterable[np.ndarray],
    target_ct: np.ndarray,
    radius: int,
) -> np.ndarray:
    """Class of each voxel by votes that count as much as the atlas looks like the target there.

    The weight is the inverse mean squared difference of the CTs in a window (Artaechevarria 2009,
    local weighting by MSD with power -1).

    Parameters
    ----------
    class_maps : arrays of one shape, air 0, soft tissue 1, bone 2; 255 abstains
    atlas_cts : the same atlases' CTs (HU) on the same grid; NaN where unknown. Taken one at a
        time, so that a generator need not hold them all
    target_ct : the target's CT (HU) on that grid; NaN where unknown
    radius : of the window, in voxels: its edge is ``2 * radius + 1``

    Returns
    -------
    np.ndarray
        uint8 of that shape, never 255; ties, and voxels without a vote of some weight, as in
        ``majority_vote``.

    Raises
    ------
    InputError
        There is no class map, or the shapes differ.
    """
    _need_one_shape(class_maps, "Locally weighted voting")
    votes = {label: np.zeros(target_ct.shape, np.float32) for label in TIE_ORDER}
    for class_map, atlas_ct in zip(class_maps, atlas_cts, strict=True):
        _need_one_shape([class_map, atlas_ct, target_ct], "Locally weighted voting")
        weight = _similarity(atlas_ct, target_ct, radius)
        for label, total in votes.items():
            np.add(total, weight, out=total, where=class_map == label)
    return _winner(votes[label] for label in TIE_ORDER)


def _similarity(atlas_ct: np.ndarray, target_ct: np.ndarray, radius: int) -> np.ndarray:
    """Return 1 / (mean squared difference in the window + epsilon), 1/HU^2; 0 where unknown."""
    edge = 2 * radius + 1
    squared = np.square(np.subtract(atlas_ct, target_ct, dtype=np.float32))
    known = np.isfinite(squared)
    squared[~known] = 0
    # Means over the whole window, with zeros for what is unknown or outside the volume.
    mean = uniform_filter(squared, edge, mode="constant")
    share = uniform_filter(known.astype(np.float32), edge, mode="constant")
    # Running sums may leave a trace of what has left the window: less than half a voxel is none.
    seen = share > 0.5 / edge**3
    weight = np.zeros_like(mean)
    mean = np.maximum(mean, 0) + SIMILARITY_EPSILON * share
    return np.divide(share, mean, out=weight, where=seen)


def staple(class_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Most probable class of each voxel, given how reliable each atlas is found to be.

    ITK's STAPLE for several classes finds each atlas's reliability, P(its vote | true class),
    from the voxels where every atlas votes. Each voxel is then decided by the atlases that vote
    there: ITK has no abstention, and as a class of its own it would say something of the tissue.

    Parameters
    ----------
    class_maps : arrays of one shape, air 0, soft tissue 1, bone 2; 255 abstains

    Returns
    -------
    np.ndarray
        uint8 of that shape, never 255. The majority vote decides ties and voxels where every
        atlas abstains; and all, where the voxels with every vote lack a class.

    Raises
    ------
    InputError
        There is no class map, or their shapes differ.
    """
    majority = majority_vote(class_maps)
    everybody = np.logical_and.reduce([class_map != NO_VOTE for class_map in class_maps])
    answers = [class_map[everybody] for class_map in class_maps]
    counts = np.sum([np.bincount(answer, minlength=len(CLASSES)) for answer in answers], axis=0)
    if not counts.all():
        return majority
    prior = counts / counts.sum()
    evidence = _evidence(class_maps, _reliabilities(answers, prior), prior)
    winner = _winner(evidence[label] for label in TIE_ORDER)
    undecided = (evidence == evidence.max(axis=0)).sum(axis=0) > 1
    undecided |= np.logical_and.reduce([class_map == NO_VOTE for class_map in class_maps])
    winner[undecided] = majority[undecided]
    return winner


def _reliabilities(answers: Sequence[np.ndarray], prior: np.ndarray) -> list[np.ndarray]:
    """Return each atlas's P(vote | true class), indexed by vote and class."""
    method = sitk.MultiLabelSTAPLEImageFilter()
    method.SetPriorProbabilities(prior.tolist())
    method.SetMaximumNumberOfIterations(STAPLE_ITERATIONS)
    method.SetLabelForUndecidedPixels(NO_VOTE)
    # STAPLE looks at each voxel alone, so that any arrangement of them will do.
    method.Execute([sitk.GetImageFromArray(answer[None, None]) for answer in answers])
    classes = len(prior)
    # ITK adds a row for undecided votes, of which there are none.
    return [
        np.reshape(method.GetConfusionMatrix(atlas), (-1, classes))[:classes]
        for atlas in range(len(answers))
    ]


def _evidence(
    class_maps: Sequence[np.ndarray], reliabilities: Sequence[np.ndarray], prior: np.ndarray
) -> np.ndarray:
    """Return log P(class, votes) up to a constant, (class, z, y, x) float32."""
    evidence = np.empty((len(prior), *class_maps[0].shape), np.float32)
    for label, share in enumerate(prior):
        evidence[label] = np.log(share)
        for class_map, reliability in zip(class_maps, reliabilities, strict=True):
            # One entry for each value of uint8; NO_VOTE says nothing.
            said = np.zeros(256, np.float32)
            said[: len(prior)] = np.log(np.maximum(reliability[:, label], SMALLEST_RELIABILITY))
            evidence[label] += said[class_map]
    return evidence


def _need_one_shape(arrays: Sequence[np.ndarray], rule: str) -> None:
    if len({array.shape for array in arrays}) != 1:
        shapes = ", ".join(str(array.shape) for array in arrays) or "none"
        raise InputError(f"{rule} needs volumes of one shape; found {shapes}.")


def _winner(votes: Iterable[np.ndarray]) -> np.ndarray:
    """Return the class with the most votes, given each class's in ``TIE_ORDER``; uint8."""
    first, *others = TIE_ORDER
    counts = iter(votes)
    most = next(counts).copy()
    winner = np.full(most.shape, first, dtype=np.uint8)
    for label, count in zip(others, counts, strict=True):
        more = count > most
        winner[more], most[more] = label, count[more]
    return winner


def _votes(class_maps: Sequence[np.ndarray], label: int) -> np.ndarray:
    """Count, per voxel, the class maps that say ``label``."""
    votes = np.zeros(class_maps[0].shape, dtype=np.uint16)
    for class_map in class_maps:
        votes += class_map == label
    return votes
