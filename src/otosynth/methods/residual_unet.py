"""The study's own method: a residual U-Net gives the classes and the micro-CT from the CT.

It has no adversary: classes are learned from cross-entropy and a soft Dice pooled over the batch,
the micro-CT from L1. docs/method.md, section 10, says why it is as it is.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.residual_unet import Settings
from otosynth.losses import segmentation as terms
from otosynth.losses.thesis import masked_l1
from otosynth.methods import base
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction
from otosynth.networks.residual_unet import ResidualUnet
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES


class Method(base.Method):
    """The classes and the micro-CT from the CT; selected by Dice plus cross-entropy."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"unet": ("unet",)}

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the U-Net with weights drawn from ``seed``."""
        inputs = 1 + (len(CLASSES) if self.settings.prior else 0)
        unet = ResidualUnet(inputs, len(CLASSES) + 1, self.settings.widths)
        unet.initialise(derive_seed(seed, "weights", "unet"))
        return {"unet": unet}

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the losses that have a weight, in every epoch."""
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        return {name: weight for name, weight in named.items() if weight > 0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the U-Net: ``logits`` (batch, 3, z, y, x) and ``microct`` in [-1, 1]."""
        return self._run(networks, batch.known)

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return cross-entropy, Dice and L1, those that are wanted."""
        losses = {}
        if "cross_entropy" in wanted:
            losses["cross_entropy"] = terms.cross_entropy(generated["logits"], batch.classes)
        if "dice" in wanted:
            probabilities = torch.softmax(generated["logits"], dim=1)
            losses["dice"] = terms.pooled_dice_loss(
                probabilities, batch.classes, self.settings.dice_smoothing
            )
        if "l1" in wanted:
            losses["l1"] = masked_l1(batch.microct, generated["microct"], batch.mask)
        return losses

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return Dice and cross-entropy, as for the other segmenters, and L1."""
        generated = self._run(networks, batch.known)
        losses = terms.dice_and_cross_entropy(generated["logits"], batch.classes)
        return losses | {"l1": masked_l1(batch.microct, generated["microct"], batch.mask)}

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return Dice plus cross-entropy."""
        return terms.validation_score(losses)

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT and the classes."""
        generated = self._run(networks, patch)
        return PatchPrediction(generated["microct"], torch.softmax(generated["logits"], dim=1))

    def _run(self, networks: Networks, patch: CtPatch) -> dict[str, Tensor]:
        result = networks["unet"](self._seen(patch)).float()
        return {"logits": result[:, :-1], "microct": torch.tanh(result[:, -1:])}

    def _seen(self, patch: CtPatch) -> Tensor:
        """Return the CT and, of a method with a prior, the votes: 0 where nobody votes."""
        if not self.settings.prior:
            return patch.ct
        votes = patch.prior
        if votes is None:
            votes = torch.zeros_like(patch.ct).expand(-1, len(CLASSES), -1, -1, -1)
        return torch.cat([patch.ct, votes], dim=1)
