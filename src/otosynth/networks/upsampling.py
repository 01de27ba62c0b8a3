"""Nearest-neighbour up-sampling and the convolution after it, computed on the coarse grid."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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
        assert self.bias is not None
        bias = self.bias.repeat(4)
        kernels = _kernels_of_kinds(self.weight).chunk(2)
        # Even planes before odd ones: half of the memory, where no gradients are wanted.
        planes = (
            (z, functional.conv3d(functional.pad(x, (1, 1, 1, 1, 1 - z, z)), kernels[z], bias))
            for z in (0, 1)
        )
        if torch.is_grad_enabled():
            fine: Tensor = _Interleaving.apply(*(convolved for _, convolved in planes))
            return fine
        return _interleaved(planes)


def _kernels_of_kinds(kernels: Tensor) -> Tensor:
    """Return 2^3 kernels (8 kinds of outputs, inputs, 2, 2, 2) of 3^3 ones; even before odd."""
    # By additions, which autocast leaves in float32.
    for axis in (-1, -2, -3):
        first, middle, last = kernels.unbind(axis)
        even = torch.stack([first, middle + last], axis)
        odd = torch.stack([first + middle, last], axis)
        kernels = torch.stack([even, odd])
    return kernels.flatten(0, 3)


class _Interleaving(torch.autograd.Function):
    """Puts the fine voxels where they belong, and their gradients back.

    By torch's own functions it would be three copies of all voxels, and more of their gradients.
    """

    @staticmethod
    def forward(ctx: Any, even: Tensor, odd: Tensor) -> Tensor:
        """Interleave planes of even and of odd index, as `_interleaved` does."""
        ctx.shape = even.shape
        return _interleaved(enumerate((even, odd)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients of both."""
        even, odd = (_empty(ctx.shape, gradient).zero_() for _ in range(2))
        for z, planes in enumerate((even, odd)):
            for (y, x), kind in _kinds(planes):
                kind.copy_(gradient[:, :, z::2, y::2, x::2])
        return even, odd


def _interleaved(parts: Iterable[tuple[int, Tensor]]) -> Tensor:
    """Map planes (batch, 4 kinds of outputs, z, y + 1, x + 1), even and odd, to fine voxels.

    They come as (0, even planes) and (1, odd planes); either is let go of before the next.
    """
    fine = None
    for z, planes in parts:
        if fine is None:
            batch, channels, depth, height, width = planes.shape
            shape = batch, channels // 4, 2 * depth, 2 * (height - 1), 2 * (width - 1)
            fine = _empty(shape, planes)
        for (y, x), kind in _kinds(planes):
            fine[:, :, z::2, y::2, x::2] = kind
        del planes, kind
    assert fine is not None
    return fine


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return new memory in the layout of another tensor: channels first or last."""
    last = like.is_contiguous(memory_format=torch.channels_last_3d)
    layout = torch.channels_last_3d if last else torch.contiguous_format
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


def _kinds(planes: Tensor) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Yield the 4 kinds of fine voxels in planes: whether they are odd in y and x, and where."""
    height, width = (edge - 1 for edge in planes.shape[3:])
    for (y, x), kind in zip(EVEN_OR_ODD, planes.chunk(4, dim=1), strict=True):
        # A fine voxel at an odd index starts with the coarse voxel that an even one ends with.
        yield (y, x), kind[..., y : y + height, x : x + width]
