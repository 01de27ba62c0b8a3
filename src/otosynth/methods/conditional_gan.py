"""What single_task and multi_task share: a conditional GAN (thesis III.2 and III.3)."""

from collections.abc import Collection, Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.gan import GanSettings
from otosynth.losses import thesis as terms
from otosynth.methods.base import Batch, CtPatch, Method, Networks, PatchPrediction, air_outside
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator, initialise, initialise_without_norms
from otosynth.seeds import derive_seed


class ConditionalGan(Method):
    """G maps a CT patch to a micro-CT patch; D judges the pair (CT, micro-CT) of Eq. 1."""

    settings: GanSettings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generator": ("generator",),
        "discriminator": ("discriminator",),
    }
    output_channels: ClassVar[int]

    @property
    def stays_on_device(self) -> bool:
        """Not with the Hausdorff loss, whose distances SciPy computes on the CPU."""
        return self.settings.loss_weights.hausdorff == 0

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return generator and discriminator with weights drawn from ``seed``."""
        s = self.settings
        networks: dict[str, nn.Module] = {
            "generator": Generator(
                self.output_channels,
                s.width,
                s.residual_blocks,
                s.dropout,
                s.upsampling,
                s.norm,
                s.outer_kernel,
            ),
            "discriminator": Discriminator(2, s.width, s.discriminator_blocks),
        }
        for name, network in networks.items():
            without_norms = name == "generator" and s.norm == "none"
            draw = initialise_without_norms if without_norms else initialise
            draw(network, derive_seed(seed, "weights", name))
        return networks

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the loss weights: Eq. 5 or 6 for G, the adversarial loss for D."""
        if player == "discriminator":
            return {"discriminator": 1.0}
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        return {name: weight for name, weight in named.items() if weight > 0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run G: ``microct`` in [-1, 1] and, with four outputs, ``probabilities``."""
        logits = networks["generator"](batch.ct).float()
        generated = {"microct": torch.tanh(logits[:, :1])}
        if self.settings.gives_classes:
            generated["probabilities"] = torch.softmax(logits[:, 1:], dim=1)
        return generated

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the losses of G (Eq. 1 to 4, those with a weight) or of D (Eq. 1)."""
        if player == "discriminator":
            return {"discriminator": self._discriminator_loss(networks, batch, generated)}
        return self._generator_losses(wanted, networks, batch, generated)

    def _generator_losses(
        self,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        discriminator = networks["discriminator"]
        losses = {}
        if "adversarial" in wanted:
            verdict = discriminator(_pair(batch.ct, generated["microct"], batch.mask)).float()
            losses["adversarial"] = terms.adversarial_loss(verdict, True, self.settings.adversarial)
        if "weighted_l1" in wanted:
            losses["weighted_l1"] = terms.weighted_l1_loss(
                batch.microct, generated["microct"], batch.classes
            )
        if "perception" in wanted:
            losses["perception"] = _perception(discriminator, batch, generated["microct"])
        if "dice" in wanted:
            losses["dice"] = terms.dice_loss(generated["probabilities"], batch.classes)
        if "hausdorff" in wanted or "centreline" in wanted:
            # Imported here: it imports MONAI, which a machine that only trains may lack.
            from otosynth.losses.shape import centreline_loss, hausdorff_loss

            if "hausdorff" in wanted:
                losses["hausdorff"] = hausdorff_loss(generated["probabilities"], batch.classes)
            if "centreline" in wanted:
                losses["centreline"] = centreline_loss(generated["probabilities"], batch.classes)
        return losses

    def _discriminator_loss(
        self, networks: Networks, batch: Batch, generated: Mapping[str, Tensor]
    ) -> Tensor:
        discriminator = networks["discriminator"]
        real = discriminator(_pair(batch.ct, batch.microct, batch.mask)).float()
        fake = discriminator(_pair(batch.ct, generated["microct"].detach(), batch.mask)).float()
        kind = self.settings.adversarial
        # The mean of both halves, as in pix2pix: D then learns at half the rate of G.
        return (
            terms.adversarial_loss(real, True, kind) + terms.adversarial_loss(fake, False, kind)
        ) / 2

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return weighted L1, perception, plain L1 and, with a class map, the Dice loss."""
        generated = self.generate(networks, batch)
        microct = generated["microct"]
        losses = {
            "weighted_l1": terms.weighted_l1_loss(batch.microct, microct, batch.classes),
            "perception": _perception(networks["discriminator"], batch, microct),
            "l1": terms.masked_l1(batch.microct, microct, batch.mask),
        }
        if self.settings.gives_classes:
            losses["dice"] = terms.dice_loss(generated["probabilities"], batch.classes)
        return losses

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT and, with four outputs, the classes."""
        logits = networks["generator"](patch.ct).float()
        probabilities = torch.softmax(logits[:, 1:], dim=1) if self.settings.gives_classes else None
        return PatchPrediction(torch.tanh(logits[:, :1]), probabilities)


def _pair(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """Return the two images as channels, as D sees them: air outside the mask."""
    return air_outside(torch.cat([first, second], dim=1), mask)


def _perception(network: nn.Module, batch: Batch, microct: Tensor) -> Tensor:
    """Eq. 3: features of (y, y) against those of (y-hat, y-hat)."""
    discriminator = cast(Discriminator, network)
    with torch.no_grad():
        real = discriminator.features(_pair(batch.microct, batch.microct, batch.mask))
    fake = discriminator.features(_pair(microct, microct, batch.mask))
    return terms.perception_loss(real, fake)
