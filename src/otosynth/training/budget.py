"""How many steps a budget of compute pays for: operations are counted, not timed.

Counted operations are the same on every machine, so the same configuration trains the same steps.
"""

import math
from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode

PETA = 1e15


def count_operations(step: Callable[[], object]) -> int:
    """Return the floating-point operations of what is called, forward and backward.

    Counted are convolutions and matrix products, which are nearly all of a network's work.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def affordable_steps(petaflop: float, operations: int) -> int:
    """Return the steps of an epoch that a training's budget pays for, at least one.

    Parameters
    ----------
    petaflop
        Operations of the whole training, in 1e15.
    operations
        What one step in every epoch costs together.

    Examples
    --------
    >>> affordable_steps(1e-3, 10**10)
    100
    """
    return max(1, math.floor(petaflop * PETA / operations))
