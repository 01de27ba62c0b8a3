"""Segmentor of real micro-CTs: S_p of TISS-Net, perceptibility and the S-score are by it."""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.microct_segmentor import Settings
from otosynth.losses.thesis import dice_loss
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction, air_outside
from otosynth.methods.base import Method as AnyMethod
from otosynth.networks.generator import initialise
from otosynth.networks.unet import UNet, UnetNorm
from otosynth.seeds import derive_seed


class Method(AnyMethod):
    """A U-Net maps a real micro-CT patch to its classes; it knows nothing of CTs."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"segmentor": ("segmentor",)}

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the segmentor with weights drawn from ``seed``."""
        s = self.settings
        return {"segmentor": build_segmentor(s.width, s.levels, s.norm, seed, "segmentor")}

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the only loss, Dice."""
        return {"dice": 1.0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Segment the real micro-CT, -1 outside its mask: ``probabilities``."""
        microct = air_outside(batch.microct, batch.mask)
        return {"probabilities": self.segment(networks, microct)}

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the Dice loss."""
        return {"dice": dice_loss(generated["probabilities"], batch.classes)}

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return the Dice loss."""
        return {"dice": dice_loss(self.generate(networks, batch)["probabilities"], batch.classes)}

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the Dice loss."""
        return losses["dice"]

    def segment(self, networks: Networks, microct: Tensor) -> Tensor:
        """Return the classes' probabilities (batch, 3, z, y, x).

        Parameters
        ----------
        microct
            Real or synthetic patches (batch, 1, z, y, x) in [-1, 1]; -1 outside the mask, as in
            training.
        """
        logits = networks["segmentor"](microct)[0].float()
        return torch.softmax(logits, dim=1)

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the classes of what this network reads, which is a micro-CT in place of a CT."""
        return PatchPrediction(None, self.segment(networks, patch.ct))

    def look(self, networks: Networks, batch: Batch) -> PatchPrediction:
        """Return the classes of the real micro-CT."""
        return PatchPrediction(None, self.generate(networks, batch)["probabilities"])


def build_segmentor(width: int, levels: int, norm: UnetNorm, seed: int, name: str) -> UNet:
    """Return a U-Net of one input and three classes with weights drawn from ``seed``.

    Weights of N(0, 0.02), as the generators have, shrink the signal in every layer. A norm
    scales it up again; without one a U-Net's gradients vanish below Adam's epsilon, so its
    weights are He's.
    """
    network = UNet(1, (3,), width, levels, norm)
    initialise(network, derive_seed(seed, "weights", name))
    if norm == "none":
        _initialise_he(network, derive_seed(seed, "weights", name))
    return network


def _initialise_he(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
