"""Norms without learned parameters (docs/method.md, section 6)."""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Norm = Literal["instance", "layer"]


class InstanceNorm(nn.InstanceNorm3d):
    """torch's, which is batch norm for a single sample, and there without its two views.

    A ReLU that overwrites a view copies the view's whole base twice in the backward pass.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return features (batch, channel, z, y, x) of mean 0 and variance 1 in each channel."""
        if len(x) > 1:
            return super().forward(x)
        return functional.batch_norm(x, None, None, training=True, eps=self.eps)


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Return a norm without learned parameters (docs/method.md 6 says why there is a choice).

    ``instance`` takes each channel's mean away, and with it the absolute intensity of a patch
    (in HU, what tells soft tissue from air); ``layer`` takes away the mean of all channels
    together, so that the differences between channels still carry it.
    """
    if kind == "layer":
        return nn.GroupNorm(1, channels, affine=False)
    return InstanceNorm(channels)
