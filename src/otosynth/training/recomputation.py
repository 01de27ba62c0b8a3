"""Trading time for memory: activations that the backward pass computes again (Chen 2016).

Between the forward and the backward pass a network keeps what every layer put out; at full
resolution that is nearly all of a training's memory. With recomputation it keeps what every block
put out, and computes a block's inside once more when the backward pass reaches it: about a third
more operations, and the same result to the bit (arXiv:1604.06174).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from otosynth.training.arithmetic import Arithmetic


def recompute_activations(network: nn.Module, arithmetic: Arithmetic) -> None:
    """Let each block of a network's sequences be computed again in the backward pass.

    Weights and their names stay as they are. Sequences within a block belong to it.

    Parameters
    ----------
    network
        Changed in place: its outermost ``nn.Sequential`` run block by block. What is derived from
        that class, such as MONAI's convolutions in DynUNet, is left as it is.
    arithmetic
        Of the training: a block is computed again as it was the first time.
    """
    for sequence in _outermost_sequences(network):
        sequence.forward = partial(_run_blocks, blocks_of(sequence), arithmetic)  # type: ignore[method-assign]


def blocks_of(sequence: nn.Sequential) -> list[nn.Sequential]:
    """Part a sequence into blocks: each begins with a layer that has weights."""
    blocks: list[list[nn.Module]] = []
    for layer in sequence:
        if not blocks or next(layer.parameters(), None) is not None:
            blocks.append([])
        blocks[-1].append(layer)
    return [nn.Sequential(*layers) for layers in blocks]


def _outermost_sequences(network: nn.Module) -> Iterator[nn.Sequential]:
    # MONAI's convolutions derive from it: one to a block would save nothing.
    if type(network) is nn.Sequential:
        yield network
        return
    for child in network.children():
        yield from _outermost_sequences(child)


def _run_blocks(blocks: list[nn.Sequential], arithmetic: Arithmetic, x: Tensor) -> Tensor:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        # The backward pass is outside the context in which networks run.
        return nullcontext(), arithmetic.for_networks()

    for block in blocks:
        x = checkpoint(block, x, use_reentrant=False, context_fn=contexts)
    return x
