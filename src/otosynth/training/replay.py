"""Training steps that a CUDA GPU repeats: all kernels of a step are launched at once, as a graph.

A step launches more than a thousand kernels. One by one Python takes longer for that than a GPU
computes (docs/profile.md); CUDA notes them down once and launches them again for other patches.
The kernels are the same and in the same order, and dropout draws by the seed that was set last, so
that results are the same to the bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cache

import torch
from torch import Tensor

from otosynth.methods.base import Batch

Losses = Mapping[str, Tensor]


class RepeatedStep:
    """A step that is done again and again with other batches of one shape.

    Parameters
    ----------
    step
        Does a step and returns its losses. Numbers in it, such as the learning rate, stay what
        they were at the second one.
    replays
        Whether to replay it: then the step must be computed on the GPU alone. The first step is
        done as it is written, which makes what later ones need (moments, libraries' workspaces).
    """

    def __init__(self, step: Callable[[Batch], Losses], replays: bool) -> None:
        self._step, self._replays = step, replays
        self._is_first = True
        self._replay: _Replay | None = None

    def __call__(self, batch: Batch) -> Losses:
        """Do the step; its losses are on the device, and overwritten by the next one."""
        if not self._replays:
            return self._step(batch)
        if self._is_first:
            self._is_first = False
            return _on_own_stream(self._step, batch)
        if self._replay is None:
            self._replay = _Replay(self._step, batch)
        return self._replay(batch)


class _Replay:
    """The graph of a step, with the memory in which it expects its batch."""

    def __init__(self, step: Callable[[Batch], Losses], batch: Batch) -> None:
        self._batch = replace(batch, **{name: t.clone() for name, t in _tensors(batch).items()})
        self._graph = torch.cuda.CUDAGraph()
        # Nothing is computed yet.
        with torch.cuda.graph(self._graph, stream=_own_stream()):
            self._losses = step(self._batch)

    def __call__(self, batch: Batch) -> Losses:
        expected = _tensors(self._batch)
        for name, tensor in _tensors(batch).items():
            expected[name].copy_(tensor)
        self._graph.replay()
        return self._losses


@cache
def _own_stream() -> torch.cuda.Stream:
    """Return the stream of steps that are not replayed; a graph is noted down on it, too.

    On one stream, since gradients are added up on the stream of the first step as long as any
    tensor of it is kept, as MONAI's DynUNet does; and CUDA notes down no others.
    """
    return torch.cuda.Stream()


def _on_own_stream(step: Callable[[Batch], Losses], batch: Batch) -> Losses:
    stream, usual = _own_stream(), torch.cuda.current_stream()
    stream.wait_stream(usual)
    with torch.cuda.stream(stream):
        losses = step(batch)
    usual.wait_stream(stream)
    return losses


def _tensors(batch: Batch) -> dict[str, Tensor]:
    found = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return {name: tensor for name, tensor in found.items() if tensor is not None}
