"""Norms without learned parameters (docs/method.md, section 6)."""

from typing import Literal

from torch import Tensor, nn
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
