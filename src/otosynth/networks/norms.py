"""Norms without learned parameters (docs/method.md, section 6)."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

Norm = Literal["instance", "layer"]


class InstanceNorm(nn.InstanceNorm3d):
    """torch's, without its views of (1, batch * channel, z, y, x) for a single sample.

    A ReLU that overwrites a view, as those after norms do, copies all of it in the backward pass.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, channel, z, y, x) of mean 0 and variance 1 in each channel."""
        if len(x) > 1:
            return super().forward(x)
        if x.is_cuda:
            return standardised(x, together=False, eps=self.eps)
        return functional.batch_norm(x, None, None, training=True, eps=self.eps)


class LayerNorm(nn.GroupNorm):
    """torch's norm of all channels together, which a GPU computes slowly for one sample."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, channel, z, y, x) of mean 0 and variance 1 in each sample."""
        if len(x) == 1 and x.is_cuda:
            return standardised(x, together=True, eps=self.eps)
        return super().forward(x)


def norm_layers(kind: Norm | Literal["none"], channels: int) -> list[nn.Module]:
    """Return the norm that follows a convolution, as a list that is empty for ``none``."""
    return [] if kind == "none" else [norm_layer(kind, channels)]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Return a norm without learned parameters (docs/method.md 6 says why there is a choice).

    ``instance`` takes each channel's mean away, and with it the absolute intensity of a patch
    (in HU, what tells soft tissue from air); ``layer`` takes away the mean of all channels
    together, so that the differences between channels still carry it.
    """
    return LayerNorm(channels) if kind == "layer" else InstanceNorm(channels)


def standardised(x: Tensor, together: bool, eps: float) -> Tensor:
    """Return one sample's features (1, channel, z, y, x) with mean 0 and variance 1, on a GPU.

    By the kernels that torch made for `SyncBatchNorm`: for one patch with channels last, its
    instance norm takes up to 7 times as long, its layer norm up to 77 times (docs/profile.md).

    Parameters
    ----------
    x
        Features; channels last is what is fast.
    together
        Whether all channels have one mean and variance, or each its own.
    eps
        Added to the variance.
    """
    result: Tensor = _Standardisation.apply(x, together, eps)
    return result


class _Standardisation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, together: bool, eps: float) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last_3d)
        mean, inverse = torch.batch_norm_stats(_planes(x), eps)
        if together:
            mean, inverse = of_all_channels(mean, inverse, eps)
        result = torch.empty_like(x)
        torch.batch_norm_elemt(_planes(x), None, None, mean, inverse, eps, out=_planes(result))
        ctx.save_for_backward(x, mean, inverse)
        ctx.together = together
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, mean, inverse = ctx.saved_tensors
        given = _planes(gradient.contiguous(memory_format=torch.channels_last_3d))
        # Sums of the gradient, and of its product with x less its mean; of weights there are none.
        sums = torch.batch_norm_backward_reduce(
            given, _planes(x), mean, inverse, None, True, False, False
        )
        total, product = sums[:2]
        if ctx.together:
            total, product = (_for_each_channel(s.mean(), s) for s in (total, product))
        count = torch.full((1,), x[0, 0].numel(), dtype=torch.int32, device=x.device)
        found = torch.batch_norm_backward_elemt(
            given, _planes(x), mean, inverse, None, total, product, count
        )
        return found.view_as(x), None, None


def _planes(x: Tensor) -> Tensor:
    """Return (1, channel, z * y, x): the kernels know channels-last of four dimensions only."""
    return x.flatten(2, 3)


def of_all_channels(mean: Tensor, inverse: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return mean and inverse deviation of all channels together, of each channel's own (channel,).

    ``eps`` is in both inverse deviations. Channels have equally many voxels.
    """
    variance = inverse**-2 - eps
    whole = mean.mean()
    spread = (variance + (mean - whole) ** 2).mean()
    return _for_each_channel(whole, mean), _for_each_channel((spread + eps).rsqrt(), mean)


def _for_each_channel(value: Tensor, like: Tensor) -> Tensor:
    return value.expand_as(like).contiguous()
