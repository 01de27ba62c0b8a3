"""MONAI's generator, discriminator and losses in a plain float32 loop.

MONAI has no generator of pix2pix's kind, so that its parts are put together by the thesis's plan:
`Convolution` blocks of 7^3 first and last, and between them its `AutoEncoder` with two halvings and
six residual units of two 3^3 convolutions; `PatchDiscriminator` with three layers;
`PatchAdversarialLoss`, and for multi_task `DiceLoss`. Eq. 3's perception is the L1 of the
discriminator's features (`PerceptualLoss` needs a network from the Internet). What differs from
ours: up-sampling is by transposed convolutions, PReLU stands for ReLU, D has one more layer, and L1
is not weighted by class. All else is torch's and MONAI's default. The table states the operations
and weights of each side.
"""

import time
from pathlib import Path
from typing import Any

import torch
from monai.losses import DiceLoss, PatchAdversarialLoss
from monai.networks.blocks import Convolution
from monai.networks.nets import AutoEncoder, PatchDiscriminator
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode


class PlainLoop:
    """Generator, discriminator, their optimisers and a random patch."""

    def __init__(self, settings: dict[str, Any]) -> None:
        torch.manual_seed(1)
        width, size = settings["width"], settings["size"]
        self.has_classes = settings["method"] == "multi_task"
        outputs = 4 if self.has_classes else 1
        self.generator = nn.Sequential(
            Convolution(3, 1, width, kernel_size=7),
            AutoEncoder(
                spatial_dims=3, in_channels=width, out_channels=width,
                channels=(2 * width, 4 * width), strides=(2, 2),
                inter_channels=(4 * width,) * 6, dropout=0.5,
            ),
            Convolution(3, width, outputs, kernel_size=7, conv_only=True),
        )  # fmt: skip
        self.discriminator = PatchDiscriminator(
            spatial_dims=3, channels=width, in_channels=2, num_layers_d=3, norm="INSTANCE"
        )
        device = settings.get("device", "cpu")
        self.generator.to(device)
        self.discriminator.to(device)
        self.optimisers = [
            torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
        self.adversarial = PatchAdversarialLoss(criterion="bce")
        self.dice = DiceLoss(softmax=True)
        self.ct, self.microct = torch.rand(2, 1, 1, size, size, size, device=device) * 2 - 1
        classes = torch.randint(0, 3, (1, size, size, size), device=device)
        self.classes = functional.one_hot(classes, 3).movedim(-1, 1).float()

    def step(self) -> None:
        """Step the generator on the sum of its losses, then the discriminator."""
        of_generator, of_discriminator = self.optimisers
        of_generator.zero_grad()
        output = self.generator(self.ct)
        microct = torch.tanh(output[:, :1])
        verdict = self._judge(self.ct, microct)[-1]
        loss = self.adversarial(verdict, target_is_real=True, for_discriminator=False)
        loss = loss + 5 * functional.l1_loss(microct, self.microct)
        loss = loss + (5 if self.has_classes else 10) * self._perception(microct)
        if self.has_classes:
            loss = loss + 10 * self.dice(output[:, 1:], self.classes)
        loss.backward()
        of_generator.step()
        of_discriminator.zero_grad()
        real, fake = (self._judge(self.ct, y)[-1] for y in (self.microct, microct.detach()))
        halves = [
            self.adversarial(verdict, target_is_real=is_real, for_discriminator=True)
            for verdict, is_real in ((real, True), (fake, False))
        ]
        (sum(halves) / 2).backward()
        of_discriminator.step()

    def _perception(self, microct: torch.Tensor) -> torch.Tensor:
        features = [self._judge(y, y)[:-1] for y in (self.microct, microct)]
        return torch.stack(
            [functional.l1_loss(*pair) for pair in zip(*features, strict=True)]
        ).sum()

    def _judge(self, first: torch.Tensor, second: torch.Tensor) -> list[torch.Tensor]:
        """Return the discriminator's features, the verdict last."""
        layers: list[torch.Tensor] = self.discriminator(torch.cat([first, second], dim=1))
        return layers


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the loop and warm it up by a step."""
    loop = PlainLoop(settings)
    with FlopCounterMode(display=False) as counter:
        loop.step()
    networks = (loop.generator, loop.discriminator)
    weights = sum(p.numel() for network in networks for p in network.parameters())
    quality = {"Gflop": counter.get_total_flops() / 1e9, "million weights": weights / 1e6}
    return {"loop": loop, "steps": settings["steps"], "quality": quality}


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Train some steps; the seconds are those of one."""
    steps = prepared["steps"]
    started = time.perf_counter()
    for _ in range(steps):
        prepared["loop"].step()
    return {"seconds": (time.perf_counter() - started) / steps, **prepared["quality"]}
