"""Training steps that a CUDA GPU replays: all kernels of a step are launched at once, as a graph.

A step launches more than a thousand kernels. One by one Python takes longer for that than a GPU
computes (docs/profile.md); a CUDA graph captures them once and launches them again for other
patches. The kernels are the same and in the same order, and dropout draws by the seed that was set
last, so that results are the same to the bit.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from otosynth.methods.base import Batch

Losses = Mapping[str, Tensor]


class RepeatedStep:
    """A step that is done again and again with other batches.

    Parameters
    ----------
    step
        Does a step and returns its losses. Numbers in it, such as the learning rate, stay what
        they were when it was captured.
    device
        Where it computes.
    replays
        Whether to capture and replay it: then it must be computed on a CUDA GPU alone. The first
        step is run eagerly, which makes what later ones need (moments, libraries' workspaces);
        the second one is captured.
    """

    def __init__(
        self, step: Callable[[Batch], Losses], device: torch.device, replays: bool
    ) -> None:
        self.step, self.device, self.replays = step, device, replays
        self._is_first = True
        self._captured: _Captured | None = None

    def __call__(self, batch: Batch) -> Losses:
        """Do the step; its losses are on the device, and overwritten by the next one."""
        if not self.replays:
            return self.step(batch)
        if self._is_first:
            self._is_first = False
            return self._eagerly(batch)
        if self._captured is None:
            self._captured = _Captured(self.step, self.device, batch)
        # A graph is of one shape of patches.
        return self._captured(batch) if self._captured.fits(batch) else self._eagerly(batch)

    def _eagerly(self, batch: Batch) -> Losses:
        with stream_of_steps(self.device):
            return self.step(batch)


class _Captured:
    """The graph of a step, with the memory in which it expects its batch."""

    def __init__(self, step: Callable[[Batch], Losses], device: torch.device, batch: Batch) -> None:
        self._batch = replace(batch, **{name: t.clone() for name, t in batch.tensors.items()})
        self._graph = torch.cuda.CUDAGraph()
        try:
            # Nothing is computed yet.
            with torch.cuda.graph(self._graph, stream=_stream(device)):
                self._losses = step(self._batch)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RuntimeError(
                "A step could not be captured as a CUDA graph. If the method needs the CPU in a "
                "step (`.item()`, `.cpu()`, SciPy), its `stays_on_device` must be False."
            ) from error

    def fits(self, batch: Batch) -> bool:
        """Return whether a batch has the shapes of the captured one."""
        shapes, expected = (
            {name: tensor.shape for name, tensor in each.tensors.items()}
            for each in (batch, self._batch)
        )
        return shapes == expected

    def __call__(self, batch: Batch) -> Losses:
        expected = self._batch.tensors
        for name, tensor in batch.tensors.items():
            expected[name].copy_(tensor)
        self._graph.replay()
        return self._losses


@contextmanager
def stream_of_steps(device: torch.device) -> Iterator[None]:
    """While it is entered, a GPU computes on the stream on which steps are captured.

    Whatever has a backward pass through a training's networks belongs there: gradients are added
    up on the stream of the first pass as long as any tensor of it is kept, as MONAI's DynUNet does,
    and another stream cannot be captured. What comes later waits for it, so that a batch may be let
    go of at once.
    """
    if device.type != "cuda":
        yield
        return
    stream, usual = _stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(usual)
    with torch.cuda.stream(stream):
        yield
    usual.wait_stream(stream)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
