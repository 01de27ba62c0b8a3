"""How many steps a budget of compute pays for: operations are counted, not timed.

Counted operations are the same on every machine, so the same configuration trains the same steps.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch.utils.flop_counter import FlopCounterMode

from otosynth.heap import give_back_free_pages
from otosynth.training.convolutions import plain_convolutions

PETA = 1e15


def count_operations(step: Callable[[], object]) -> int:
    """Return the floating-point operations of what is called, forward and backward.

    Counted are convolutions and matrix products, which are nearly all of a network's work;
    convolutions as they are written down, however this machine computes them.
    """
    with plain_convolutions(), FlopCounterMode(display=False) as counter:
        step()
    # Plain convolutions can take more memory than those that a training goes on with.
    give_back_free_pages()
    return int(counter.get_total_flops())


def affordable_steps(petaflop: float, operations: Sequence[int]) -> list[int]:
    """Return the steps of every epoch that a training's budget pays for, at least one.

    Epochs have equally many, but for one more where the budget does not divide: where steps are
    costly, a whole step of every epoch is a large part of it.

    Parameters
    ----------
    petaflop
        Operations of the whole training, in 1e15.
    operations
        What one step costs in each epoch.

    Examples
    --------
    >>> affordable_steps(25e-6, [10**9] * 10)
    [2, 3, 2, 3, 2, 3, 2, 3, 2, 3]
    """
    steps_an_epoch = petaflop * PETA / sum(operations)
    ends = [math.floor(steps_an_epoch * epoch) for epoch in range(len(operations) + 1)]
    return [max(1, end - start) for start, end in pairwise(ends)]
