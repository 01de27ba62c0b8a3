"""The plain port of the thesis's step: float32, contiguous, one loss after another.

The weights, losses and data are ours; the networks are of torch's own layers, up-sampling and the
convolution after it each by itself; the loop is what the equations say, term by term, with
torch's defaults: every loss of G has a forward and a backward pass of its own, whose gradients
add up; D learns from a real and from a fake pair, each with passes of its own. What a plain loop
does not do is left out: sharing one forward pass of G, switching off gradients of weights that
the player does not train, fused Adam, convolutions rearranged for the CPU. The loop that shares
G's pass is beside it, `plain_step_shared.py`.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import step_work
import torch
from torch import Tensor, nn

from otosynth.losses import thesis as terms
from otosynth.methods.base import Batch
from otosynth.networks.dropout import Dropout
from otosynth.networks.norms import InstanceNorm, LayerNorm
from otosynth.networks.upsampling import UpsamplingConvolution
from otosynth.training.arithmetic import Arithmetic
from otosynth.training.batches import PatchReader


class PlainLoop:
    """G, D, their optimisers and a batch; all ears' voxels count, so that no mask is needed."""

    def __init__(self, settings: dict[str, Any], shares: bool) -> None:
        method = step_work.create(settings)
        device = settings.get("device", "cpu")
        networks = {k: of_plain_layers(n).to(device) for k, n in method.build_networks(1).items()}
        self.g, self.d = networks["generator"], networks["discriminator"]
        s = method.settings
        self.optimisers = [
            torch.optim.Adam(network.parameters(), s.learning_rate, betas=s.adam_betas)
            for network in (self.g, self.d)
        ]
        self.weights = method.weights("generator", 0)
        self.batch = random_batch(settings["size"], device)
        self.shares = shares

    def step(self) -> None:
        """Step G on its losses, then D on both of its own."""
        of_g, of_d = self.optimisers
        of_g.zero_grad()
        logits = self.g(self.batch.ct)
        if self.shares:
            torch.stack(
                [w * self._loss(k, logits) for k, w in self.weights.items()]
            ).sum().backward()
        else:
            for name, weight in self.weights.items():
                logits = self.g(self.batch.ct)
                (weight * self._loss(name, logits)).backward()
        of_g.step()
        of_d.zero_grad()
        fake = torch.tanh(logits[:, :1]).detach()
        for microct, is_real in ((self.batch.microct, True), (fake, False)):
            verdict = self.d(torch.cat([self.batch.ct, microct], dim=1))
            (terms.adversarial_loss(verdict, is_real, "log") / 2).backward()
        of_d.step()

    def _loss(self, name: str, logits: Tensor) -> Tensor:
        ct, microct, classes = self.batch.ct, self.batch.microct, self.batch.classes
        synthetic = torch.tanh(logits[:, :1])
        if name == "adversarial":
            return terms.adversarial_loss(self.d(torch.cat([ct, synthetic], dim=1)), True, "log")
        if name == "weighted_l1":
            return terms.weighted_l1_loss(microct, synthetic, classes)
        if name == "perception":
            real, fake = (self.d.features(torch.cat([y, y], dim=1)) for y in (microct, synthetic))
            return terms.perception_loss(real, fake)
        return terms.dice_loss(torch.softmax(logits[:, 1:], dim=1), classes)


def of_plain_layers(network: nn.Module) -> nn.Module:
    """Put torch's own layers, with the same weights, in place of ours."""
    for name, layer in network.named_children():
        if isinstance(layer, UpsamplingConvolution):
            convolution = nn.Conv3d(layer.in_channels, layer.out_channels, 3, padding=1)
            convolution.load_state_dict(layer.state_dict())
            setattr(network, name, nn.Sequential(nn.Upsample(scale_factor=2), convolution))
        elif isinstance(layer, InstanceNorm):
            setattr(network, name, nn.InstanceNorm3d(layer.num_features))
        elif isinstance(layer, LayerNorm):
            setattr(network, name, nn.GroupNorm(1, layer.num_channels, affine=False))
        elif isinstance(layer, Dropout):
            setattr(network, name, nn.Dropout(layer.p))
        else:
            of_plain_layers(layer)
    return network


def random_batch(size: int, device: str) -> Batch:
    """Return the patch that ours trains on."""
    import pandas as pd

    table = pd.DataFrame([{"specimen": "ear", "z": 0, "y": 0, "x": 0, "size": size}])
    pairs = {"ear": step_work.random_pair(size)}
    arithmetic = Arithmetic(torch.device("cpu"), "float32")
    batch = PatchReader(table, pairs, step_work.WINDOWS, arithmetic).read(0)
    return replace(
        batch, ct=batch.ct.to(device), microct=batch.microct.to(device),
        mask=batch.mask.to(device), classes=batch.classes.to(device),
    )  # fmt: skip


def prepare(folder: Path, settings: dict[str, Any], shares: bool = False) -> dict[str, Any]:
    """Build the loop and warm it up by a step."""
    loop = PlainLoop(settings, shares)
    gflop = step_work.operations(loop.step)
    step_work.warm_up(loop.step)
    return {"loop": loop, "steps": settings["steps"], "gflop": gflop}


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Train some steps; the seconds are those of one."""
    steps = prepared["steps"]
    started = time.perf_counter()
    for _ in range(steps):
        prepared["loop"].step()
    return {"seconds": (time.perf_counter() - started) / steps, "Gflop": prepared["gflop"]}
