"""What this machine can do at most: products of matrices (Gflop/s), and adding arrays (GB/s).

Matrices of float32, and of bfloat16, in which some processors are slower.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

EDGE = 2048
# Three arrays of 256 MB, far more than a cache holds.
LENGTH = 2**26


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Make the matrices and arrays."""
    torch.set_num_threads(settings["threads"])
    matrices = torch.rand(2, EDGE, EDGE)
    return {"matrices": matrices, "arrays": torch.rand(3, LENGTH)}


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Return the best of five."""
    (a, b), (x, y, z) = prepared["matrices"], prepared["arrays"]
    short_a, short_b = a.bfloat16(), b.bfloat16()
    product_s, short_s = _best(lambda: a @ b), _best(lambda: short_a @ short_b)
    sum_s = _best(lambda: torch.add(x, y, out=z))
    gflop = 2 * EDGE**3 / 1e9
    return {
        "Gflop/s": gflop / product_s,
        "Gflop/s bfloat16": gflop / short_s,
        "GB/s": 3 * 4 * LENGTH / sum_s / 1e9,
    }


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
