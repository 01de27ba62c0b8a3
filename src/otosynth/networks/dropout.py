"""Dropout, the noise of the thesis's generator (Eq. 1)."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """torch's, which on a CPU decides by uniform numbers what is kept, in a third of the time.

    torch itself draws one Bernoulli number after the other there, in double precision.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with zeros at random places while training, the rest enlarged for them."""
        if not self.training or self.p == 0 or x.device.type != "cpu":
            return super().forward(x)
        kept = torch.rand(x.shape) >= self.p
        return x * kept.to(x.dtype).div_(1 - self.p)
