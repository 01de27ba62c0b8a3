"""Convolutions of single patches, as a CPU computes them fastest.

In float32 torch takes oneDNN for a small convolution only from two samples on (`use_mkldnn` in
aten/src/ATen/native/Convolution.cpp), and its own, slow one for the single patches that the
papers train with. Here oneDNN is called itself. What oneDNN does slowly, a large kernel to a few
channels, goes by Fourier transforms (`fourier`). Results agree with torch's up to rounding.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from otosynth.training.fourier import FourierConvolution, gains_by_fourier

# Of a convolution's arguments after image and weight: bias, stride, padding, dilation, groups.
DEFAULTS = (None, (1, 1, 1), (0, 0, 0), (1, 1, 1), 1)
# torch takes oneDNN for a single patch whose channels times z times y are more than this, or whose
# kernels are larger (`use_mkldnn`).
LARGE_IMAGE, SMALL_KERNEL = 20480, 3
# For a result of so few voxels torch's own convolution is the faster one (docs/profile.md).
FEW_VOXELS = 4**3


class _Choice:
    """Whether all convolutions are plain: in every thread, for autograd has threads of its own."""

    plain = False


class OtherConvolutions(TorchFunctionMode):
    """While it is entered, a subclass may compute convolutions in another way than torch's."""

    def convolve(
        self,
        image: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
    ) -> Tensor | None:
        """Convolve images (batch, channel, z, y, x); None leaves it to torch."""
        raise NotImplementedError

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the function, or convolve in the other way where there is one."""
        kwargs = kwargs or {}
        if func is functional.conv3d and not kwargs and not _Choice.plain:
            given = args + DEFAULTS[len(args) - 2 :]
            image, weight, bias, stride, padding, dilation, groups = given
            if _is_usual(image, weight, stride, padding, dilation, groups):
                convolved = self.convolve(image, weight, bias, stride, padding)
                if convolved is not None:
                    return convolved
        return func(*args, **kwargs)


class FastConvolutions(OtherConvolutions):
    """While it is entered, convolutions on the CPU are computed as this module says."""

    def convolve(
        self,
        image: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
    ) -> Tensor | None:
        """Convolve on the CPU where Fourier transforms or oneDNN gain."""
        if not _is_on_cpu(image, weight):
            return None
        convolved: Tensor | None = None
        if gains_by_fourier(image, weight, stride, padding):
            convolved = FourierConvolution.apply(image, weight, bias)
        elif gains_by_onednn(image, weight, stride, padding):
            convolved = OneDnnConvolution.apply(image, weight, bias, stride, padding)
        return convolved


@contextmanager
def plain_convolutions() -> Iterator[None]:
    """Have every convolution computed as torch chooses, so that its operations can be counted."""
    before, _Choice.plain = _Choice.plain, True
    try:
        yield
    finally:
        _Choice.plain = before


def _is_usual(
    image: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int
) -> bool:
    """Return whether a convolution is a right one, without dilation or groups."""
    return (
        image.ndim == 5 and image.shape[1] == weight.shape[1]
        and groups == 1 and all(isinstance(three, tuple) for three in (stride, padding, dilation))
        and set(dilation) == {1}
    )  # fmt: skip


def _is_on_cpu(image: Tensor, weight: Tensor) -> bool:
    is_cast = torch.is_autocast_enabled("cpu")
    return image.device.type == "cpu" and image.dtype == weight.dtype and not is_cast


class OneDnnConvolution(torch.autograd.Function):
    """A convolution and its gradients by oneDNN."""

    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int, int],
        padding: tuple[int, int, int],
    ) -> Tensor:
        """Return the convolution (batch, output, z, y, x) of images (batch, channel, z, y, x)."""
        ctx.save_for_backward(image, weight)
        ctx.bias_shape = None if bias is None else list(bias.shape)
        ctx.stride, ctx.padding = stride, padding
        return torch.mkldnn_convolution(image, weight, bias, padding, stride, (1, 1, 1), 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of images, weight and bias, where they are wanted."""
        image, weight = ctx.saved_tensors
        # Of tensors in oneDNN's own format torch takes it, however small they are.
        gradients = torch.ops.aten.convolution_backward(
            gradient.to_mkldnn(), image.to_mkldnn(), weight, ctx.bias_shape,
            ctx.stride, ctx.padding, (1, 1, 1), False, (0, 0, 0), 1, ctx.needs_input_grad[:3],
        )  # fmt: skip
        return (*map(_dense, gradients), None, None)


def _dense(tensor: Tensor | None) -> Tensor | None:
    return tensor.to_dense() if tensor is not None and tensor.is_mkldnn else tensor


def gains_by_onednn(
    image: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> bool:
    """Return whether oneDNN computes a convolution faster than what torch would take for it."""
    if len(image) > 1 or image.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return False
    kernel = weight.shape[2:]
    is_taken = image.shape[1:4].numel() > LARGE_IMAGE or min(kernel[1:]) > SMALL_KERNEL
    edges = [
        (length + 2 * zeros - edge) // step + 1
        for length, edge, step, zeros in zip(image.shape[2:], kernel, stride, padding, strict=True)
    ]
    return not is_taken and kernel.numel() > 1 and min(edges) > 0 and prod(edges) > FEW_VOXELS
