"""Regression: the thesis's generator without an adversary, trained by its Eq. 2 alone.

What it lacks to single_task is what the adversary and its perception loss bring.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.regression import Settings
from otosynth.losses import thesis as terms
from otosynth.methods import base
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction
from otosynth.networks.generator import Generator, initialise
from otosynth.seeds import derive_seed


class Method(base.Method):
    """Trained and selected by the class-weighted L1 loss; Otsu and the closing give the classes."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"generator": ("generator",)}

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the generator with weights drawn from ``seed``."""
        s = self.settings
        generator = Generator(1, s.width, s.residual_blocks, s.dropout, s.upsampling, s.norm)
        initialise(generator, derive_seed(seed, "weights", "generator"))
        return {"generator": generator}

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the one loss, in every epoch."""
        return {"weighted_l1": 1.0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the generator: ``microct`` in [-1, 1]."""
        return {"microct": _microct(networks, batch.ct)}

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the class-weighted L1 loss (Eq. 2)."""
        return {
            "weighted_l1": terms.weighted_l1_loss(
                batch.microct, generated["microct"], batch.classes
            )
        }

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return the weighted L1 (Eq. 2) and the plain L1."""
        microct = _microct(networks, batch.ct)
        return {
            "weighted_l1": terms.weighted_l1_loss(batch.microct, microct, batch.classes),
            "l1": terms.masked_l1(batch.microct, microct, batch.mask),
        }

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the weighted L1."""
        return losses["weighted_l1"]

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT."""
        return PatchPrediction(_microct(networks, patch.ct), None)


def _microct(networks: Networks, ct: Tensor) -> Tensor:
    return torch.tanh(networks["generator"](ct).float())
