"""Learning rate and patch order: functions of the seed, the epoch and the step alone."""

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


def cosine_rate(base: float, step: int, steps: int, warmup: float) -> float:
    """Return the rate of a step: rising evenly, then half a cosine to 0 (Loshchilov 2017, Eq. 5).

    Parameters
    ----------
    base
        The highest rate.
    step, steps
        Counted from 0 over the whole training, and all of them. The rate would be 0 in the step
        after the last.
    warmup
        Share of all steps over which the rate rises.
    """
    rising = round(warmup * steps)
    if step < rising:
        return base * (step + 1) / rising
    return base * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2


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


def drawn_by_weight(
    order: np.ndarray, weights: np.ndarray, share: float, seed: int, epoch: int
) -> np.ndarray:
    """Return an epoch's order with a share of its rows drawn anew, each by its weight.

    Parameters
    ----------
    order
        As ``patch_order`` gives.
    weights
        One a row of the patch table, none negative; a row is drawn as often as its weight says.
    share
        Expected share of the order that is drawn anew.
    seed, epoch
        Decide which.
    """
    random = np.random.default_rng(derive_seed(seed, "by weight", epoch))
    is_drawn = random.random(len(order)) < share
    drawn = random.choice(len(weights), len(order), p=weights / weights.sum())
    return np.where(is_drawn, drawn, order)
