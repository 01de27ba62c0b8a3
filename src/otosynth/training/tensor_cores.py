"""Convolutions as CUDA GPUs compute them fast: with many channels.

cuDNN is slow at convolutions from or to a few channels, which leave tensor cores empty, and at
some strided ones (docs/profile.md has the numbers). Here the same sums are written with more
channels: a large kernel's weights along y and x become channels, so that a kernel along z is left;
and of a strided kernel every second voxel does (space to depth, the inverse of what Shi 2016 does,
arXiv:1609.05158). Results agree with torch's up to rounding.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from otosynth.training.convolutions import OtherConvolutions

# Kernels of at least this edge, from or to at most so many channels, are spread.
LARGE_KERNEL, FEW_CHANNELS = 5, 4
# From so many channels on cuDNN takes no tensor cores for 4^3 kernels of stride 2.
MANY_CHANNELS = 128
# So many channels fill tensor cores: where taps along x give as many, those along y stay a kernel.
ENOUGH_CHANNELS = 24
# Tensor cores take channels in groups of this many.
GROUP = 8


class TensorCoreConvolutions(OtherConvolutions):
    """While it is entered, convolutions of one patch are computed as this module says.

    On any device, so that it can be tested; a CUDA GPU alone gains by it.
    """

    def convolve(
        self,
        image: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
    ) -> Tensor | None:
        """Convolve one patch (1, channel, z, y, x) where more channels gain."""
        if len(image) > 1:
            return None
        if _keeps_size(weight, stride, padding):
            if weight.shape[1] <= FEW_CHANNELS:
                return from_few_channels(image, weight, bias)
            if weight.shape[0] <= FEW_CHANNELS:
                return to_few_channels(image, weight, bias)
        if _halves_slowly(image, weight, stride, padding):
            return halving(image, weight, bias)
        return None


def _keeps_size(weight: Tensor, stride: Sequence[int], padding: Sequence[int]) -> bool:
    kernel = weight.shape[2:]
    return (
        min(kernel) >= LARGE_KERNEL and set(stride) == {1}
        and all(edge == 2 * zeros + 1 for edge, zeros in zip(kernel, padding, strict=True))
    )  # fmt: skip


def _halves_slowly(
    image: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> bool:
    inputs = weight.shape[1]
    return (
        (inputs <= FEW_CHANNELS or inputs >= MANY_CHANNELS)
        and set(weight.shape[2:]) == {4} and set(stride) == {2} and set(padding) == {1}
        and all(edge % 2 == 0 for edge in image.shape[2:])
    )  # fmt: skip


def from_few_channels(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve (1, few, z, y, x) with odd kernels (outputs, few, ...); edges stay.

    What a kernel sees along y and x becomes channels of the image, which are kept for the backward
    pass: with 7^3 kernels 56 for one channel, 200 for four, 0.1 and 0.35 GB in bfloat16 at 96^3.
    """
    kernel = weight.shape[2:]
    spread = _Spread.apply(_in_network_precision(image), kernel[1:])
    along_z = weight.permute(0, 1, 3, 4, 2).flatten(1, 3)
    along_z = _fill_up(along_z[..., None, None], dim=1)
    return functional.conv3d(spread, along_z, bias, padding=(kernel[0] // 2, 0, 0))


def to_few_channels(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve (1, many, z, y, x) with odd kernels (few, many, ...); edges stay.

    Each of a kernel's weights along y and x gets output channels of its own, rounded to the
    network's precision; these are then shifted to where they belong and added in float32.
    """
    kz, ky, kx = weight.shape[2:]
    if len(weight) * kx < ENOUGH_CHANNELS:
        # The first weight belongs to the voxel before, so that its part is shifted the other way.
        kernels = weight.flip(3, 4).permute(0, 3, 4, 1, 2).flatten(0, 2)[..., None, None]
        padding, gathered = (kz // 2, 0, 0), (ky, kx)
    else:
        kernels = weight.flip(4).permute(0, 4, 1, 2, 3).flatten(0, 1)[..., None]
        padding, gathered = (kz // 2, ky // 2, 0), (1, kx)
    parts = functional.conv3d(image, _fill_up(kernels, dim=0), padding=padding)
    result: Tensor = _Gather.apply(parts, len(weight), gathered)
    return result if bias is None else result + bias[:, None, None, None]


def halving(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with 4^3 kernels, stride 2 and one zero round an image (1, channel, z, y, x).

    Each 2^3 voxels become 8 times the channels of one; 2^3 kernels of such voxels are left.
    """
    deep = _SpaceToDepth.apply(_in_network_precision(image))
    return functional.conv3d(deep, _depth_of_kernels(weight), bias)


def _depth_of_kernels(weight: Tensor) -> Tensor:
    """Map kernels (outputs, inputs, 4, 4, 4) to (outputs, 8 inputs, 2, 2, 2)."""
    outputs, inputs = weight.shape[:2]
    parted = weight.reshape(outputs, inputs, 2, 2, 2, 2, 2, 2)
    return parted.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)


class _SpaceToDepth(torch.autograd.Function):
    """Maps (1, channel, 2 z, 2 y, 2 x) and zeros round it to (1, 8 channel, z + 1, ...)."""

    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        last = image[0].permute(1, 2, 3, 0)
        padded = functional.pad(last, (0, 0, 1, 1, 1, 1, 1, 1))
        edges = [edge // 2 for edge in padded.shape[:3]]
        ctx.channels = last.shape[3]
        deep = _pairs(padded).permute(0, 2, 4, 1, 3, 5, 6).reshape(*edges, 8 * ctx.channels)
        return _channels_last(deep)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        last = gradient[0].permute(1, 2, 3, 0)
        z, y, x, _ = last.shape
        padded = last.new_empty(2 * z, 2 * y, 2 * x, ctx.channels)
        parts = last.reshape(z, y, x, 2, 2, 2, ctx.channels)
        _pairs(padded).copy_(parts.permute(0, 3, 1, 4, 2, 5, 6))
        return _channels_last(padded[1:-1, 1:-1, 1:-1])


def _channels_last(x: Tensor) -> Tensor:
    """View (z, y, x, channel) as (1, channel, z, y, x)."""
    # In this order: else cuDNN does not see, by the stride of the one sample, how it is laid out.
    return x[None].permute(0, 4, 1, 2, 3)


def _pairs(last: Tensor) -> Tensor:
    """View (2 z, 2 y, 2 x, channel) as (z, 2, y, 2, x, 2, channel)."""
    z, y, x, channels = last.shape
    return last.view(z // 2, 2, y // 2, 2, x // 2, 2, channels)


def _in_network_precision(image: Tensor) -> Tensor:
    kind = image.device.type
    return image.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else image


def _fill_up(kernels: Tensor, dim: int) -> Tensor:
    """Append zeros along a dimension until it is whole groups of channels long."""
    missing = -kernels.shape[dim] % GROUP
    return functional.pad(kernels, [0] * 2 * (kernels.dim() - 1 - dim) + [0, missing])


class _Spread(torch.autograd.Function):
    """Makes what a kernel sees along y and x channels."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, kernel: tuple[int, int]) -> Tensor:
        ctx.channels, ctx.kernel, ctx.dtype = image.shape[1], kernel, image.dtype
        return _spread(image, kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _gather(gradient, ctx.channels, ctx.kernel).to(ctx.dtype), None


class _Gather(torch.autograd.Function):
    """Adds up what a kernel along y and x has as channels: the transpose of `_Spread`."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, channels: int, kernel: tuple[int, int]) -> Tensor:
        ctx.kernel, ctx.dtype = kernel, parts.dtype
        return _gather(parts, channels, kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _spread(gradient.to(ctx.dtype), ctx.kernel), None, None


def _spread(image: Tensor, kernel: tuple[int, int]) -> Tensor:
    """Return (1, channels * kernel's y * x and zeros, z, y, x), channels last."""
    (_, channels, depth, height, width), (ky, kx) = image.shape, kernel
    used = channels * ky * kx
    spread = image.new_empty(depth, height, width, used + -used % GROUP)
    spread[..., used:] = 0
    padded = functional.pad(image[0], (kx // 2, kx // 2, ky // 2, ky // 2))
    seen = padded.unfold(2, ky, 1).unfold(3, kx, 1).permute(1, 2, 3, 0, 4, 5)
    spread[..., :used].view(depth, height, width, channels, ky, kx).copy_(seen)
    return _channels_last(spread)


def _gather(parts: Tensor, channels: int, kernel: tuple[int, int]) -> Tensor:
    """Return the sums (1, channels, z, y, x) of what `_spread` would have spread, in float32."""
    (_, _, depth, height, width), (ky, kx) = parts.shape, kernel
    last = parts[0].permute(1, 2, 3, 0)
    padded = functional.pad(last, (0, 0, kx // 2, kx // 2, ky // 2, ky // 2))
    of_z, of_y, of_x, _ = padded.stride()
    # From the padded place that is further by (y, x) a voxel gets the part in the channel
    # (ky - 1 - y, kx - 1 - x).
    seen = padded.as_strided(
        (channels, depth, height, width, ky, kx),
        (ky * kx, of_z, of_y, of_x, of_y - kx, of_x - 1),
        ky * kx - 1,
    )
    return seen.sum((-1, -2), dtype=torch.float32)[None]
