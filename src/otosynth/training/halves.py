"""Convolutions of one patch in two halves, which the CPU computes several times faster.

In float32 torch takes oneDNN for a small convolution only from two samples on (`use_mkldnn` in
aten/src/ATen/native/Convolution.cpp), and its own, slow one for the single patches that the
papers train with. Two overlapping halves of a patch are two samples with the same result, up
to rounding. Also where torch takes oneDNN, halves are often faster (docs/profile.md).
Without gradients oneDNN is called itself, which is faster still and gave the same bits on the
processors tried; torch has no backward pass by it for a single patch.
What oneDNN itself does slowly, a large kernel to a few channels, goes plane by plane (`planes`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from otosynth.training.planes import convolve_planes, gains_by_planes

# Of a convolution's arguments after image and weight: bias, stride, padding, dilation, groups.
DEFAULTS = (None, (1, 1, 1), (0, 0, 0), (1, 1, 1), 1)


class HalvedConvolutions(TorchFunctionMode):
    """While it is entered, convolutions of one patch are computed as this module says."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, or what gains in its place: planes, halves or oneDNN itself."""
        kwargs = kwargs or {}
        if func is functional.conv3d and not kwargs:
            image, weight, bias, stride, padding, dilation, groups = (
                args + DEFAULTS[len(args) - 2 :]
            )
            if gains_by_planes(image, weight, stride, padding, dilation, groups):
                return convolve_planes(image, weight, bias, padding)
            if _gains(image, weight, stride, padding, dilation, groups):
                if torch.is_grad_enabled() or not _onednn_takes(image):
                    return convolve_halves(image, weight, bias, stride, padding)
                return torch.mkldnn_convolution(
                    image, weight, bias, padding, stride, dilation, groups
                )
        return func(*args, **kwargs)


def convolve_halves(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int, int],
    padding: tuple[int, int, int],
) -> Tensor:
    """Convolve a patch as two samples: its upper and its lower half, overlapping by the kernel.

    Parameters
    ----------
    image
        One patch (1, channel, z, y, x).
    weight
        Kernels (output channel, channel, z, y, x).
    bias
        One value an output channel, or None.
    stride, padding
        In z, y and x; zeros are padded.

    Returns
    -------
    Tensor
        The convolution (1, output channel, z, y, x), whose length in z must be even.
    """
    # The padded patch is let go of before the convolution, which has copies of its own.
    halves = _halves(image, weight.shape[2], stride[0], padding[0])
    convolved = functional.conv3d(halves, weight, bias, stride, (0, *padding[1:]))
    return torch.cat(convolved.split(1), dim=2)


def _halves(image: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """Return the halves of a padded patch as two samples, overlapping as the kernel needs it."""
    image = functional.pad(image, (0, 0, 0, 0, padding, padding))
    start = _outputs(image.shape[2], kernel, stride) // 2 * stride
    length = start - stride + kernel
    return torch.cat([image[:, :, :length], image[:, :, start : start + length]])


def _gains(
    image: Tensor,
    weight: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...] | str,
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    plain = groups == 1 and set(dilation) == {1} and not isinstance(padding, str)
    if not plain or image.ndim != 5 or len(image) != 1:
        return False
    kernel, channels = weight.shape[2], image.shape[1]
    # One channel is read fast as it is, and so are large kernels that leave voxels out.
    if kernel == 1 or channels == 1 or (stride[0] > 1 and kernel > 3):
        return False
    outputs = _outputs(image.shape[2] + 2 * int(padding[0]), kernel, stride[0])
    return outputs > 0 and outputs % 2 == 0


def _onednn_takes(image: Tensor) -> bool:
    return image.dtype == torch.float32 and torch.backends.mkldnn.is_available()


def _outputs(length: int, kernel: int, stride: int) -> int:
    return (length - kernel) // stride + 1
