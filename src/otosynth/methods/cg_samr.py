"""CG-SAMR: a generator that its own confidence guides, judged class by class (Guo 2021, III)."""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.cg_samr import SamrSettings, Settings
from otosynth.losses import cg_samr as terms
from otosynth.losses.thesis import dice_loss, masked_l1, weighted_l1_loss
from otosynth.methods import base
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction, air_outside
from otosynth.networks.generator import initialise
from otosynth.networks.samr import Generator, LabelDiscriminators
from otosynth.networks.unet import UNet
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES

# The paper has no rule for choosing an epoch: this is the thesis's for its multi_task, so that
# both are chosen alike.
SCORE_WEIGHTS = {"weighted_l1": 5.0, "dice": 10.0}


class Method(base.Method):
    """G maps CT and mean micro-CT to a micro-CT; U maps a micro-CT to the classes (Fig. 2)."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generator": ("generator", "segmentor"),
        "discriminators": ("discriminators",),
    }

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return G, U and the six discriminators with weights drawn from ``seed``."""
        s = self.settings
        networks: dict[str, nn.Module] = {
            "generator": Generator(2, s.width, s.halvings, s.residual_blocks, s.norm),
            "segmentor": UNet(1, (len(CLASSES),), s.segmentor_width, s.segmentor_levels, s.norm),
            "discriminators": LabelDiscriminators(
                CLASSES, 3, s.discriminator_width, s.discriminator_blocks
            ),
        }
        for name, network in networks.items():
            initialise(network, derive_seed(seed, "weights", name))
        return networks

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the loss weights: Eq. 6 for G and U, the adversarial loss for the others."""
        if player == "discriminators":
            return {"discriminators": 1.0}
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        return {name: weight for name, weight in named.items() if weight > 0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run G: ``microct``, and at half size ``half`` and its ``confidence``."""
        microct, half, confidence = networks["generator"](with_prior(batch.ct, batch.prior))
        return {"microct": microct, "half": half, "confidence": confidence}

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the losses of G and U (Eq. 1 to 5) or of the discriminators (Eq. 2)."""
        if player == "discriminators":
            return {"discriminators": self._discriminators_loss(networks, batch, generated)}
        losses = self._judged_losses(wanted, networks, batch, generated["microct"])
        if "shape" in wanted:
            losses["shape"] = _shape_loss(networks, batch, generated["microct"])
        if "confidence" in wanted:
            losses["confidence"] = confidence_map_loss(
                self.settings, generated["half"], generated["confidence"], batch.microct, batch.mask
            )
        return losses

    def _judged_losses(
        self, wanted: Collection[str], networks: Networks, batch: Batch, microct: Tensor
    ) -> dict[str, Tensor]:
        """Return the losses that the discriminators decide: Eq. 2 and 3."""
        losses: dict[str, Tensor] = {}
        if not {"adversarial", "feature_matching"} & set(wanted):
            return losses
        fake = _judge(networks, batch, microct)
        if "adversarial" in wanted:
            losses["adversarial"] = terms.verdicts_loss(fake, True, self.settings.adversarial)
        if "feature_matching" in wanted:
            with torch.no_grad():
                real = _judge(networks, batch, batch.microct)
            losses["feature_matching"] = terms.feature_matching_loss(real, fake)
        return losses

    def _discriminators_loss(
        self, networks: Networks, batch: Batch, generated: Mapping[str, Tensor]
    ) -> Tensor:
        kind = self.settings.adversarial
        real = _judge(networks, batch, batch.microct)
        fake = _judge(networks, batch, generated["microct"].detach())
        # The mean of both halves, as conditional_gan has it.
        return (terms.verdicts_loss(real, True, kind) + terms.verdicts_loss(fake, False, kind)) / 2

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return weighted L1, the Dice loss of U(G(x)) and plain L1."""
        microct = self.generate(networks, batch)["microct"]
        probabilities = segment(networks, air_outside(microct, batch.mask))
        return {
            "weighted_l1": weighted_l1_loss(batch.microct, microct, batch.classes),
            "dice": dice_loss(probabilities, batch.classes),
            "l1": masked_l1(batch.microct, microct, batch.mask),
        }

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Weighted L1 plus Dice loss, as for multi_task (docs/method.md, section 8)."""
        return sum(weight * losses[name] for name, weight in SCORE_WEIGHTS.items())

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT G(x) and the classes U(G(x))."""
        microct, _, _ = networks["generator"](with_prior(patch.ct, patch.prior))
        return PatchPrediction(microct, segment(networks, air_outside(microct, patch.mask)))


def with_prior(ct: Tensor, prior: Tensor | None) -> Tensor:
    """Return CT and prior as channels: x of the paper.

    Raises
    ------
    ValueError
        If there is no prior.
    """
    if prior is None:
        raise ValueError("this method needs a prior of every patch")
    return torch.cat([ct, prior], dim=1)


def segment(networks: Networks, microct: Tensor) -> Tensor:
    """Return U's probabilities of the classes (batch, 3, z, y, x)."""
    (logits,) = networks["segmentor"](microct)
    return torch.softmax(logits.float(), dim=1)


def confidence_map_loss(
    settings: SamrSettings, half: Tensor, confidence: Tensor, microct: Tensor, mask: Tensor
) -> Tensor:
    """Eq. 1 with its schedule (IV.B): lambda_cm is lower where the mean confidence is high.

    The mean is this step's own, so that a training that continues needs no memory of it.
    """
    high = terms.mean_confidence(confidence, mask) > settings.high_confidence
    weight = torch.where(high, settings.lowered_confidence_weight, settings.confidence_weight)
    return terms.confidence_loss(half, confidence, microct, mask, weight)


def _judge(networks: Networks, batch: Batch, microct: Tensor) -> list[list[Tensor]]:
    """Return what six discriminators make of (x, micro-CT), each inside its class alone (Eq. 2).

    The classes are 0 outside the mask, so nothing of there is seen.
    """
    pair = torch.cat([with_prior(batch.ct, batch.prior), microct], dim=1)
    layers: list[list[Tensor]] = networks["discriminators"](pair, batch.classes)
    return layers


def _shape_loss(networks: Networks, batch: Batch, microct: Tensor) -> Tensor:
    """Eq. 5: U must find the classes in the real and in the synthetic micro-CT."""
    real, fake = (
        terms.generalised_dice_loss(
            batch.classes, segment(networks, air_outside(image, batch.mask))
        )
        for image in (batch.microct, microct)
    )
    return real + fake
