"""What a group's training ears, registered to an ear, say of it beforehand (Guo 2021, IV.A).

The paper's anatomic prior is an atlas of each modality. Here it is made of the training specimens
of the group, never of a tested one: their mean micro-CT, and their votes for each class.
"""

from collections.abc import Sequence

import numpy as np

from otosynth.normalisation import Normalisation
from otosynth.tissues import CLASSES

# File names of a prior, by its kind.
FILES = {"microct": ("microct.nii",), "classes": tuple(f"{name}.nii" for name in CLASSES)}


def prior_channels(
    volumes: Sequence[np.ndarray], normalisation: Normalisation
) -> np.ndarray | None:
    """Return a prior as a network sees it.

    Parameters
    ----------
    volumes
        The mean micro-CT in the scanner's unit (z, y, x); or the number of votes for each class,
        one volume a class; or nothing.

    Returns
    -------
    np.ndarray or None
        (channel, z, y, x) float32: the micro-CT in [-1, 1], or each class's share of the votes, 0
        where nobody votes. None for nothing.
    """
    if not volumes:
        return None
    if len(volumes) == 1:
        return normalisation.microct.normalise(volumes[0])[None]
    votes = np.stack(volumes).astype(np.float32)
    return votes / np.maximum(votes.sum(axis=0), 1)


def mean_microct(carried: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of micro-CTs carried to one grid.

    Parameters
    ----------
    carried
        Volumes (z, y, x) in the scanner's unit, NaN where an ear does not reach.

    Returns
    -------
    np.ndarray
        float32; where no ear reaches, the lowest value of all (air).
    """
    total = np.zeros(carried[0].shape, np.float32)
    count = np.zeros(carried[0].shape, np.uint8)
    for volume in carried:
        known = np.isfinite(volume)
        total[known] += volume[known]
        count += known
    lowest = min(float(np.nanmin(volume)) for volume in carried)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32(lowest))


def votes(carried: Sequence[np.ndarray], label: int) -> np.ndarray:
    """Count the class maps that say ``label`` (uint8, z y x); 255 abstains."""
    count = np.zeros(carried[0].shape, np.uint8)
    for class_map in carried:
        count += class_map == label
    return count
