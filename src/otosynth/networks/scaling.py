"""Halving of patches, by operations whose backward pass is the same in every run.

torch's own pooling of volumes is not deterministic on CUDA.
"""

from torch import Tensor


def average_halved(x: Tensor) -> Tensor:
    """Return the means of 2^3 voxels: (batch, channel, z, y, x) to half of z, y and x."""
    return _blocks(x).mean(dim=(3, 5, 7))


def max_halved(x: Tensor) -> Tensor:
    """Return the largest of 2^3 voxels: (batch, channel, z, y, x) to half of z, y and x."""
    return _blocks(x).amax(dim=(3, 5, 7))


def _blocks(x: Tensor) -> Tensor:
    batch, channels, *edges = x.shape
    halves = (part for edge in edges for part in (edge // 2, 2))
    return x.reshape(batch, channels, *halves)
