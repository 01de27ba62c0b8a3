"""Convolutions with large kernels to a few channels, as products of Fourier transforms.

A 7^3 kernel multiplies every voxel 343 times; transformed, image and kernel are multiplied once a
frequency (the convolution theorem). On a CPU the last layer of G takes half of the time so
(docs/profile.md). Zeros are padded, and the result has the image's shape.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# At once are transformed a block of the result of at most this edge (voxels), and so many channels
# of the image. More take more memory, fewer take more time.
LONGEST_BLOCK, CHANNELS_AT_ONCE = 50, 4
# Where the transforms gain (docs/profile.md): kernels of at least this edge, to fewer channels than
# these, in images of at least so many voxels.
SMALLEST_KERNEL, TOO_MANY_CHANNELS, SMALLEST_IMAGE = 5, 8, 16**3

Slices = tuple[slice, ...]


def fast_length(length: int) -> int:
    """Return the next length without factors but 2, 3 and 5, which transforms are fast at.

    As `scipy.fft.next_fast_len`, whose import takes a quarter of a second of CPU.
    """
    # Only such a number divides a power of 30.
    return next(n for n in count(length) if 30 ** n.bit_length() % n == 0)


@dataclass(frozen=True)
class Place:
    """Where a block of the result is (``out``), and the part of the image that it sees (``seen``).

    Each is said twice: in the volume, and ``..._at`` in the transform.
    """

    out: Slices
    out_at: Slices
    seen: Slices
    seen_at: Slices


@dataclass(frozen=True)
class Axis:
    """How an axis is parted into blocks, for a kernel that sees ``halo`` voxels on either side.

    Attributes
    ----------
    length
        Of the image (voxels).
    halo
        What the kernel sees on either side of a voxel (voxels).
    block
        What a block gives of the result (voxels).
    lead
        Where in a transform that begins.
    size
        Of a transform (voxels).
    """

    length: int
    halo: int
    block: int
    lead: int
    size: int

    @classmethod
    def of(cls, length: int, kernel: int) -> "Axis":
        """Part an axis for a kernel of an odd length."""
        halo = kernel // 2
        blocks = math.ceil(length / LONGEST_BLOCK)
        if blocks == 1:
            # A transform is periodic: the zeros after the image are also those before it.
            return cls(length, halo, length, 0, fast_length(length + halo))
        block = math.ceil(length / blocks)
        return cls(length, halo, block, halo, fast_length(block + 2 * halo))

    def places(self) -> Iterator[tuple[slice, slice, slice, slice]]:
        """Yield the slices of `Place` for every block."""
        for start in range(0, self.length, self.block):
            stop = min(start + self.block, self.length)
            first, last = max(start - self.lead, 0), min(stop + self.lead, self.length)
            shift = self.lead - start
            yield (
                slice(start, stop), slice(start + shift, stop + shift),
                slice(first, last), slice(first + shift, last + shift),
            )  # fmt: skip

    def waves(self, frequencies: int) -> Tensor:
        """Return exp(2 pi i f k / size) for places k of the kernel and frequencies f."""
        places = torch.arange(-self.halo, self.halo + 1, dtype=torch.float64)
        turns = places[:, None] * torch.arange(frequencies) / self.size
        return torch.polar(torch.ones_like(turns), 2 * math.pi * turns)


@dataclass(frozen=True)
class Plan:
    """How images (z, y, x) of a shape are transformed, for kernels of a shape."""

    axes: tuple[Axis, Axis, Axis]

    @classmethod
    def of(cls, image: Sequence[int], kernel: Sequence[int]) -> "Plan":
        """Plan for an image (z, y, x) and a kernel of odd edges (z, y, x)."""
        z, y, x = map(Axis.of, image, kernel)
        return cls((z, y, x))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The edges of a transform (z, y, x)."""
        z, y, x = self.axes
        return z.size, y.size, x.size

    @property
    def frequencies(self) -> tuple[int, int, int]:
        """The frequencies of a transform (z, y, x); of real voxels, half of x says all."""
        z, y, x = self.sizes
        return z, y, x // 2 + 1

    def places(self) -> list[Place]:
        """Return where the blocks are, (..., z, y, x)."""
        return [
            Place(*((..., *slices) for slices in zip(*block, strict=True)))
            for block in product(*(axis.places() for axis in self.axes))
        ]

    def transform(self, part: Tensor, at: Slices) -> Tensor:
        """Return the frequencies (channel, z, y, half of x) of a part that lies ``at`` a place."""
        block = part.new_zeros(len(part), *self.sizes)
        block[at] = part
        return torch.fft.rfftn(block, dim=(1, 2, 3))

    def restore(self, frequencies: Tensor) -> Tensor:
        """Return the block (channel, z, y, x) of some frequencies."""
        return torch.fft.irfftn(frequencies, s=self.sizes, dim=(1, 2, 3))

    def transform_kernels(self, weight: Tensor) -> Tensor:
        """Return the conjugate frequencies of kernels (output, channel, z, y, x).

        As matrix products: of a whole block nearly all would be zeros.
        """
        z, y, x = self._waves(weight.dtype)
        planes = y.t() @ (weight.to(x.dtype) @ x)
        return (z.t() @ planes.flatten(3)).unflatten(3, planes.shape[3:])

    def restore_kernels(self, frequencies: Tensor) -> Tensor:
        """Return the kernels (output, channel, z, y, x) of some frequencies."""
        z, y, x = self._waves(frequencies.real.dtype)
        lines = y @ (z @ frequencies.flatten(3)).unflatten(3, frequencies.shape[3:])
        return (lines @ (x * self._times()).t()).real / math.prod(self.sizes)

    def _times(self) -> Tensor:
        """Return how often each frequency of x counts: those left out are conjugates."""
        alone = [frequency in (0, self.sizes[2] / 2) for frequency in range(self.frequencies[2])]
        return 2 - torch.tensor(alone, dtype=torch.float32)

    def _waves(self, dtype: torch.dtype) -> list[Tensor]:
        return [
            axis.waves(frequencies).to(dtype.to_complex())
            for axis, frequencies in zip(self.axes, self.frequencies, strict=True)
        ]


class FourierConvolution(torch.autograd.Function):
    """A convolution of images (batch, channel, z, y, x) on the CPU, and its gradients."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution (batch, output, z, y, x)."""
        plan = Plan.of(image.shape[2:], weight.shape[2:])
        ctx.save_for_backward(image, weight)
        result = image.new_empty(len(image), len(weight), *image.shape[2:])
        for patch, convolved in zip(image, result, strict=True):
            _convolve(plan, patch, weight, convolved)
        return result if bias is None else result.add_(bias.view(-1, 1, 1, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of images, weight and bias, where they are wanted."""
        image, weight = ctx.saved_tensors
        plan = Plan.of(image.shape[2:], weight.shape[2:])
        wants_image, wants_weight, wants_bias = ctx.needs_input_grad
        of_image = torch.zeros_like(image) if wants_image else None
        of_weight = torch.zeros_like(weight) if wants_weight else None
        for k, patch in enumerate(image):
            frequencies = [
                # Conjugate, as the kernels' are.
                plan.transform(gradient[k][place.out], place.out_at).conj_physical_()
                for place in plan.places()
            ]
            if of_image is not None:
                _add_to_image(plan, frequencies, weight, of_image[k])
            if of_weight is not None:
                _add_to_weight(plan, frequencies, patch, of_weight)
        return of_image, of_weight, gradient.sum((0, 2, 3, 4)) if wants_bias else None


def _convolve(plan: Plan, patch: Tensor, weight: Tensor, convolved: Tensor) -> None:
    """Convolve a patch (channel, z, y, x) into ``convolved`` (output, z, y, x)."""
    places = plan.places()
    shape = len(places), len(weight), *plan.frequencies
    sums = torch.zeros(shape, dtype=weight.dtype.to_complex())
    for channels in _groups_of_channels(weight):
        kernels = plan.transform_kernels(weight[:, channels])
        for place, of_block in zip(places, sums, strict=True):
            frequencies = plan.transform(patch[channels][place.seen], place.seen_at)
            for total, of_output in zip(of_block, kernels, strict=True):
                # Channel by channel: the sum stays in the processor's cache.
                for kernel, of_channel in zip(of_output, frequencies, strict=True):
                    total.addcmul_(kernel, of_channel)
    for place, of_block in zip(places, sums, strict=True):
        convolved[place.out] = plan.restore(of_block)[place.out_at]


def _add_to_image(
    plan: Plan, gradients: Sequence[Tensor], weight: Tensor, of_patch: Tensor
) -> None:
    """Add the gradient of a patch (channel, z, y, x), given the blocks' conjugate frequencies."""
    for channels in _groups_of_channels(weight):
        kernels = plan.transform_kernels(weight[:, channels])
        for place, of_block in zip(plan.places(), gradients, strict=True):
            total = torch.zeros_like(kernels[0])
            for kernel, of_output in zip(kernels, of_block, strict=True):
                total.addcmul_(kernel, of_output)
            block = plan.restore(total.conj_physical_())
            of_patch[channels][place.seen].add_(block[place.seen_at])


def _add_to_weight(
    plan: Plan, gradients: Sequence[Tensor], patch: Tensor, of_weight: Tensor
) -> None:
    """Add the gradient of the kernels, given the blocks' conjugate frequencies."""
    for channels in _groups_of_channels(of_weight):
        shape = *of_weight[:, channels].shape[:2], *plan.frequencies
        sums = gradients[0].new_zeros(shape)
        for place, of_block in zip(plan.places(), gradients, strict=True):
            frequencies = plan.transform(patch[channels][place.seen], place.seen_at)
            for total, of_output in zip(sums, of_block, strict=True):
                total.addcmul_(frequencies, of_output)
        of_weight[:, channels] += plan.restore_kernels(sums)


def _groups_of_channels(weight: Tensor) -> list[slice]:
    starts = range(0, weight.shape[1], CHANNELS_AT_ONCE)
    return [slice(start, start + CHANNELS_AT_ONCE) for start in starts]


def gains_by_fourier(
    image: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> bool:
    """Return whether `FourierConvolution` computes a convolution, and faster than oneDNN."""
    edges = weight.shape[2:]
    keeps_shape = all(edge == 2 * p + 1 for edge, p in zip(edges, padding, strict=True))
    return (
        image.dtype in (torch.float32, torch.float64)
        and image.shape[2:].numel() >= SMALLEST_IMAGE
        and keeps_shape and set(stride) == {1}
        and min(edges) >= SMALLEST_KERNEL and len(weight) < TOO_MANY_CHANNELS
    )  # fmt: skip
