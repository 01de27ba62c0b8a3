"""Learning rate and patch order: functions of the epoch and the seed alone."""

import math

import numpy as np

from otosynth.seeds import derive_seed


def learning_rate(base: float, epoch: int, constant_epochs: int, epochs: int) -> float:
    """Return the rate of an epoch: constant, then falling linearly to 0 (thesis IV.1).

    Parameters
    ----------
    base
        Rate of the constant epochs.
    epoch
        Counted from 0.
    constant_epochs, epochs
        100 and 200 in the thesis. The rate would be 0 in the epoch after the last.
    """
    decay = max(0, epoch + 1 - constant_epochs) / (epochs - constant_epochs + 1)
    return base * (1 - decay)


def patch_order(patches: int, visits: int, seed: int, epoch: int) -> np.ndarray:
    """Return the rows of the patch table that an epoch visits, in order.

    Parameters
    ----------
    patches
        Rows in the table.
    visits
        Patches to draw; as many as the table has visits each once, as in the thesis. More go
        through the table again in a new order.
    seed, epoch
        Decide the order.
    """
    random = np.random.default_rng(derive_seed(seed, "order", epoch))
    rounds = math.ceil(visits / patches)
    return np.concatenate([random.permutation(patches) for _ in range(rounds)])[:visits]
