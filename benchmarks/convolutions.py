"""Time of single convolutions, forward and backward, as torch takes them and as we do.

    python benchmarks/convolutions.py --threads 1

Each is one patch (1, channels, edge, edge, edge) in float32; the least of some repeats, in ms.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pandas as pd
import torch
from torch import nn

from otosynth.heap import keep_freed_memory
from otosynth.training.convolutions import FastConvolutions

SECONDS_EACH = 0.5
# What it is, channels, channels out, edge (voxels), kernel, stride.
LAYERS = [
    ("G, halving, width 16", 16, 32, 32, 3, 2),
    ("G, residual, width 16", 64, 64, 8, 3, 1),
    ("G, residual, width 64", 256, 256, 8, 3, 1),
    ("G, residual, width 16, 64^3", 64, 64, 16, 3, 1),
    ("U-Net, width 8", 8, 8, 32, 3, 1),
    ("U-Net, width 16", 16, 16, 32, 3, 1),
    ("G, residual, width 16, 16^3", 64, 64, 4, 3, 1),
    ("G, first, width 4", 1, 4, 32, 7, 1),
    ("G, last, width 4", 4, 1, 32, 7, 1),
    ("G, last, width 16, micro-CT", 16, 1, 32, 7, 1),
    ("G, last, width 16, with classes", 16, 4, 32, 7, 1),
    ("G, last, width 64, with classes", 64, 4, 32, 7, 1),
    ("G, last, width 16, with classes, 16^3", 16, 4, 16, 7, 1),
    ("G, last, width 16, with classes, 96^3", 16, 4, 96, 7, 1),
]


def milliseconds(
    layer: nn.Module, patch: torch.Tensor, way: Callable[[], AbstractContextManager]
) -> float:
    """Return the shortest time of a forward and backward pass, of three at least (ms)."""
    weights = torch.rand_like(layer(patch))
    times: list[float] = []
    while len(times) < 4 or sum(times) < SECONDS_EACH:
        started = time.perf_counter()
        with way():
            result = layer(patch)
        torch.autograd.grad(result, [patch, *layer.parameters()], weights)
        times.append(time.perf_counter() - started)
    # The first one also chooses how.
    return 1000 * min(times[1:])


def main() -> None:
    """Measure every layer and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    keep_freed_memory()
    rows = []
    for name, inputs, outputs, edge, kernel, stride in LAYERS:
        layer = nn.Conv3d(inputs, outputs, kernel, stride, padding=kernel // 2)
        patch = torch.rand(1, inputs, edge, edge, edge, requires_grad=True)
        times = [milliseconds(layer, patch, way) for way in (nullcontext, FastConvolutions)]
        shape = f"{kernel}^3, {inputs} to {outputs}, {edge}^3"
        rows.append((name, shape, *times, times[0] / times[1]))
    columns = ["layer", "convolution", "torch", "ours", "ratio"]
    print(pd.DataFrame(rows, columns=columns).to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
