"""Dropout, the noise of the thesis's generator (Eq. 1)."""

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """torch's; on a CPU its chance is drawn as uniform numbers, which takes a quarter of the time.

    There torch draws one Bernoulli number after the other in double precision.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with zeros at random places while training, the rest enlarged for them."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        kept = torch.rand(x.shape) >= self.p
        return x * kept.to(x.dtype).div_(1 - self.p)
