"""Nearest-neighbour up-sampling and the convolution after it, computed on the coarse grid."""

from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional

# Indices in y and x, of the four kinds of fine voxels of a plane.
EVEN_OR_ODD = tuple(product((0, 1), repeat=2))


class UpsamplingConvolution(nn.Conv3d):
    """Repeat every voxel twice along each axis, then a 3^3 convolution with zeros round it.

    A fine voxel sees only 2^3 different coarse ones, at places that depend on whether its indices
    are even or odd. So each of the 8 kinds of fine voxels gets a 2^3 kernel of its own, made of
    sums of the 3^3 kernel's weights: the same result up to rounding, with 8 of 27 multiplications,
    and the repeated voxels never take memory (Shi 2016, arXiv:1609.07009).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, z, y, x) to (batch, outputs, 2 z, 2 y, 2 x)."""
        padded = functional.pad(x, (1, 1, 1, 1, 1, 1))
        # Even planes before odd ones: half of the memory, and an even number of planes, which
        # `training/halves.py` computes faster.
        parts = (
            (z, self._kinds(padded[:, :, z : z + x.shape[2] + 1], kernels))
            for z, kernels in enumerate(_kernels_of_kinds(self.weight).chunk(2))
        )
        if torch.is_grad_enabled():
            return _interleaved([kind for _, kinds in parts for kind in kinds])
        return _written(parts)

    def _kinds(self, padded: Tensor, kernels: Tensor) -> list[Tensor]:
        """Return the 4 kinds of fine voxels (even or odd in y, x) of every second plane."""
        assert self.bias is not None
        kinds = functional.conv3d(padded, kernels, self.bias.repeat(4)).chunk(4, dim=1)
        height, width = (edge - 2 for edge in padded.shape[3:])
        # A fine voxel at an odd index starts with the coarse voxel that an even one ends with.
        return [
            kind[..., y : y + height, x : x + width]
            for kind, (y, x) in zip(kinds, EVEN_OR_ODD, strict=True)
        ]


def _kernels_of_kinds(kernels: Tensor) -> Tensor:
    """Return 2^3 kernels (8 kinds of outputs, inputs, 2, 2, 2) of 3^3 ones; even before odd."""
    # By additions, which autocast leaves in float32.
    for axis in (-1, -2, -3):
        first, middle, last = kernels.unbind(axis)
        even = torch.stack([first, middle + last], axis)
        odd = torch.stack([first + middle, last], axis)
        kernels = torch.stack([even, odd])
    return kernels.flatten(0, 3)


def _interleaved(kinds: list[Tensor]) -> Tensor:
    """Put together the voxels of the 8 kinds (even or odd in z, y, x), each on the coarse grid."""
    for axis in (-1, -2, -3):
        pairs = zip(kinds[::2], kinds[1::2], strict=True)
        kinds = [torch.stack(pair, axis).flatten(axis - 1, axis) for pair in pairs]
    return kinds[0]


def _written(parts: Iterable[tuple[int, list[Tensor]]]) -> Tensor:
    """Put together as `_interleaved`, without its copies: not for a backward pass.

    There each of the eight writes would copy the whole gradient.
    """
    fine = None
    for z, kinds in parts:
        if fine is None:
            batch, channels, *edges = kinds[0].shape
            fine = kinds[0].new_empty(batch, channels, *(2 * edge for edge in edges))
        for (y, x), kind in zip(EVEN_OR_ODD, kinds, strict=True):
            fine[:, :, z::2, y::2, x::2] = kind
        # Not held while the next part is computed.
        del kinds, kind
    assert fine is not None
    return fine
