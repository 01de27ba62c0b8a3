"""Time of single layers, forward and backward, as torch takes them and as we do.

    python benchmarks/bench.py convolutions --threads 1
    python benchmarks/bench.py convolutions --device cuda

Each is one patch (1, channels, edge, edge, edge). On a CPU in float32, the least of some repeats;
on a GPU in bfloat16, channels last, the mean of a graph's replays, with norms. In ms.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import pandas as pd
import torch
from torch import nn

from otosynth.heap import keep_freed_memory
from otosynth.networks.norms import norm_layer
from otosynth.training.arithmetic import resolve_arithmetic
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
# On a GPU: what it is, channels, channels out, edge, kernel, stride, padding.
GPU_LAYERS = [
    ("G, first", 1, 64, 96, 7, 1, 3),
    ("G, last, micro-CT", 64, 1, 96, 7, 1, 3),
    ("G, last, with classes", 64, 4, 96, 7, 1, 3),
    ("encoder of CG-SAMR", 2, 64, 96, 7, 1, 3),
    ("encoder of UCG-SAMR", 4, 64, 96, 7, 1, 3),
    ("D, first", 2, 64, 96, 4, 2, 1),
    ("D, second", 64, 128, 48, 4, 2, 1),
    ("D, third", 128, 256, 24, 4, 2, 1),
    ("G, residual", 256, 256, 24, 3, 1, 1),
]
GPU_NORMS = [(64, 96), (128, 48), (256, 24)]
REPLAYS = 20
Row = tuple[str, str, float, float, float]


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


def on_cpu(threads: int) -> Iterator[Row]:
    """Measure every layer on the CPU."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    for name, inputs, outputs, edge, kernel, stride in LAYERS:
        layer = nn.Conv3d(inputs, outputs, kernel, stride, padding=kernel // 2)
        patch = torch.rand(1, inputs, edge, edge, edge, requires_grad=True)
        torchs, ours = (milliseconds(layer, patch, way) for way in (nullcontext, FastConvolutions))
        yield name, f"{kernel}^3, {inputs} to {outputs}, {edge}^3", torchs, ours, torchs / ours


def on_gpu() -> Iterator[Row]:
    """Measure every layer and norm on a GPU."""
    arithmetic = resolve_arithmetic("cuda", "bfloat16", 1)
    torchs_way = partial(torch.autocast, "cuda", torch.bfloat16)
    for name, inputs, outputs, edge, *settings in GPU_LAYERS:
        layer = arithmetic.place_network(nn.Conv3d(inputs, outputs, *settings))
        # A CT needs no gradient.
        patch = random_patch(inputs, edge, wants_gradient=inputs > 1)
        ways = (torchs_way, arithmetic.for_networks)
        torchs, ours = (replayed_milliseconds(layer, patch, way) for way in ways)
        shape = f"{settings[0]}^3, {inputs} to {outputs}, {edge}^3"
        yield name, shape, torchs, ours, torchs / ours
    for channels, edge in GPU_NORMS:
        for kind, plain in (
            ("instance", nn.InstanceNorm3d(channels)),
            ("layer", nn.GroupNorm(1, channels, affine=False)),
        ):
            patch = random_patch(channels, edge, wants_gradient=True)
            torchs, ours = (
                replayed_milliseconds(norm, patch, arithmetic.for_networks)
                for norm in (plain, norm_layer(kind, channels))
            )
            yield f"norm, {kind}", f"{channels}, {edge}^3", torchs, ours, torchs / ours


def random_patch(channels: int, edge: int, wants_gradient: bool) -> torch.Tensor:
    """Return features on a GPU, channels last."""
    patch = torch.rand(1, channels, edge, edge, edge, device="cuda", dtype=torch.bfloat16)
    return patch.to(memory_format=torch.channels_last_3d).requires_grad_(wants_gradient)


def replayed_milliseconds(
    layer: nn.Module, patch: torch.Tensor, way: Callable[[], AbstractContextManager]
) -> float:
    """Return the time of a forward and backward pass on a GPU, without Python's (ms)."""
    with torch.no_grad(), way():
        weights = torch.rand_like(layer(patch))
    wanted = [t for t in (patch, *layer.parameters()) if t.requires_grad]

    def passes() -> None:
        with way():
            result = layer(patch)
        torch.autograd.grad(result, wanted, weights)

    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        passes()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, stream=stream):
        passes()
    graph.replay()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(REPLAYS):
        graph.replay()
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - started) / REPLAYS


def main(words: list[str]) -> None:
    """Measure every layer and print a table."""
    parser = argparse.ArgumentParser("bench.py convolutions", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args(words)
    rows = on_gpu() if arguments.device == "cuda" else on_cpu(arguments.threads)
    columns = ["layer", "shape", "torch", "ours", "ratio"]
    print(pd.DataFrame(rows, columns=columns).to_string(index=False, float_format="%.2f"))
