"""Nearest-neighbour up-sampling and the convolution after it, computed on the coarse grid."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional


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
        assert self.bias is not None
        padded = functional.pad(x, (1, 1, 1, 1, 1, 1))
        kinds = functional.conv3d(padded, _kernels_of_kinds(self.weight), self.bias.repeat(8))
        depth, height, width = x.shape[2:]
        # A fine voxel at an odd index starts with the coarse voxel that an even one ends with.
        fine = [
            kind[:, :, z : z + depth, y : y + height, x : x + width]
            for kind, (z, y, x) in zip(
                kinds.chunk(8, dim=1), product((0, 1), repeat=3), strict=True
            )
        ]
        return _interleaved(fine)


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
