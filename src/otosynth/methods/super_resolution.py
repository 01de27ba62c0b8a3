"""Super-resolution segmentation: a class map on the micro-CT's grid from the CT's coarse one.

The thesis's group published such a network (PMC10979466, mean Dice 0.871), but not its layers:
this one is designed here, and stands for the idea, not for theirs. The patch comes with the CT
resampled to the micro-CT's grid; the network first takes it to a grid about as coarse as the CT's,
along the micro-CT's axes.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.super_resolution import Settings
from otosynth.losses import segmentation as terms
from otosynth.methods import base
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction
from otosynth.networks.generator import initialise
from otosynth.networks.super_resolution import SuperResolution
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES


class Method(base.Method):
    """The class map from the CT, without a micro-CT; selected by Dice plus cross-entropy."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"segmenter": ("segmenter",)}

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the network with weights drawn from ``seed``."""
        s = self.settings
        segmenter = SuperResolution(
            len(CLASSES), s.width, s.residual_blocks, s.dropout, s.norm, s.coarse_factor
        )
        initialise(segmenter, derive_seed(seed, "weights", "segmenter"))
        return {"segmenter": segmenter}

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the weights of Dice and cross-entropy, in every epoch."""
        return dict(terms.WEIGHTS)

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the network: ``logits`` (batch, 3, z, y, x)."""
        return {"logits": networks["segmenter"](batch.ct).float()}

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return Dice and cross-entropy."""
        losses = terms.dice_and_cross_entropy(generated["logits"], batch.classes)
        return {name: losses[name] for name in wanted}

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return Dice and cross-entropy."""
        logits = networks["segmenter"](batch.ct).float()
        return terms.dice_and_cross_entropy(logits, batch.classes)

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return Dice plus cross-entropy."""
        return terms.validation_score(losses)

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the classes."""
        return PatchPrediction(None, torch.softmax(networks["segmenter"](patch.ct).float(), dim=1))
