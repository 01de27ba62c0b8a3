"""TISS-Net (Wu 2023): a generator of micro-CT and coarse classes, then a segmentor."""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.tiss_net import Settings
from otosynth.losses import tiss_net as terms
from otosynth.losses.thesis import dice_loss, masked_l1, weighted_l1_loss
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction, air_outside
from otosynth.methods.base import Method as AnyMethod
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import initialise
from otosynth.networks.unet import UNet
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES

SEGMENTOR_LOSSES = ("fine", "error", "consistency")


class Method(AnyMethod):
    """G makes micro-CT and coarse classes of a CT; S makes fine classes and errors of all three.

    The mask M of the tissue-aware losses is soft tissue and what is near it. The required
    micro-CT segmentor is S_p of Eq. 5, frozen.
    """

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generator": ("generator", "segmentor"),
        "discriminators": ("discriminator", "tissue_discriminator"),
    }

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return G, S, D_g and D_t with weights drawn from ``seed``."""
        s = self.settings
        c = len(CLASSES)
        networks: dict[str, nn.Module] = {
            "generator": UNet(1, (1, c), s.width, s.levels, s.norm),
            "segmentor": UNet(2 + c, (c, c), s.width, s.levels, s.norm),
            "discriminator": Discriminator(2, s.width, s.discriminator_blocks),
            "tissue_discriminator": Discriminator(2, s.width, s.discriminator_blocks),
        }
        for name, network in networks.items():
            initialise(network, derive_seed(seed, "weights", name))
        return networks

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return Eq. 10's weights; of Eq. 11 the discriminators that the generator meets."""
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        if player == "discriminators":
            met = {
                "discriminator": named["adversarial"],
                "tissue_discriminator": named["tissue_adversarial"],
            }
            return {name: 1.0 for name, weight in met.items() if weight > 0}
        named |= dict.fromkeys(SEGMENTOR_LOSSES, named.pop("segmentor"))
        return {name: weight for name, weight in named.items() if weight > 0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run G and S: ``microct`` x_t', ``coarse`` y_c, ``fine`` y_f and ``error`` y_e."""
        return _run(networks, batch.ct)

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the losses of G and S (Eq. 1 to 9) or of the discriminators (Eq. 3)."""
        margin = max(1, round(self.settings.tissue_margin_mm / self.voxel_mm))
        tissue = terms.tissue_mask(batch.classes, batch.mask, margin)
        if player == "discriminators":
            return _discriminators_losses(wanted, networks, batch, generated, tissue)
        return {
            **_synthesis_losses(wanted, batch, generated, tissue),
            **_adversarial_losses(wanted, networks, batch, generated, tissue),
            **self._class_losses(wanted, batch, generated),
        }

    def _class_losses(
        self, wanted: Collection[str], batch: Batch, generated: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        losses = terms.segmentor_losses(
            generated["fine"], generated["error"], generated["coarse"], batch.classes
        )
        if "perceptibility" in wanted:
            losses["perceptibility"] = self._perceptibility(batch, generated["microct"])
        if "coarse" in wanted:
            losses["coarse"] = dice_loss(generated["coarse"], batch.classes)
        return losses

    def _perceptibility(self, batch: Batch, microct: Tensor) -> Tensor:
        """Eq. 5: Dice loss of the frozen S_p on the synthetic micro-CT, -1 outside the mask."""
        frozen = self.required["microct_segmentor"]["segmentor"]
        logits = frozen(air_outside(microct, batch.mask))[0].float()
        return dice_loss(torch.softmax(logits, dim=1), batch.classes)

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return L1, weighted L1 and the Dice losses of the fine and of the coarse classes."""
        generated = _run(networks, batch.ct)
        microct = generated["microct"]
        return {
            "l1": masked_l1(batch.microct, microct, batch.mask),
            "weighted_l1": weighted_l1_loss(batch.microct, microct, batch.classes),
            "dice": dice_loss(generated["fine"], batch.classes),
            "dice_coarse": dice_loss(generated["coarse"], batch.classes),
        }

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the Dice loss of the fine classes, by which the paper's validation judges."""
        return losses["dice"]

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT x_t' and the fine classes y_f."""
        generated = _run(networks, patch.ct)
        return PatchPrediction(generated["microct"], generated["fine"])


def _run(networks: Networks, ct: Tensor) -> dict[str, Tensor]:
    """Run G on the CT and S on CT, micro-CT and coarse classes together."""
    image, coarse_logits = networks["generator"](ct)
    microct = torch.tanh(image.float())
    coarse = torch.softmax(coarse_logits.float(), dim=1)
    fine_logits, error_logits = networks["segmentor"](torch.cat([ct, microct, coarse], dim=1))
    return {
        "microct": microct,
        "coarse": coarse,
        "fine": torch.softmax(fine_logits.float(), dim=1),
        "error": torch.sigmoid(error_logits.float()),
    }


def _pair(ct: Tensor, microct: Tensor, mask: Tensor) -> Tensor:
    """Return the pair as D_g sees it: -1 outside the mask."""
    return air_outside(torch.cat([ct, microct], dim=1), mask)


def _tissue_pair(ct: Tensor, microct: Tensor, tissue: Tensor) -> Tensor:
    """Return the pair as D_t sees it: multiplied by M, as in the paper."""
    return torch.cat([ct, microct], dim=1) * tissue


def _synthesis_losses(
    wanted: Collection[str], batch: Batch, generated: Mapping[str, Tensor], tissue: Tensor
) -> dict[str, Tensor]:
    """Return the L1 terms of Eq. 1 and 4."""
    losses = {}
    images = batch.microct, generated["microct"]
    if "l1" in wanted:
        losses["l1"] = masked_l1(*images, batch.mask)
    if "tissue_l1" in wanted:
        losses["tissue_l1"] = terms.tissue_l1(*images, tissue, batch.mask)
    return losses


def _adversarial_losses(
    wanted: Collection[str],
    networks: Networks,
    batch: Batch,
    generated: Mapping[str, Tensor],
    tissue: Tensor,
) -> dict[str, Tensor]:
    """Return Eq. 2 of D_g and of D_t."""
    losses = {}
    images = batch.ct, generated["microct"]
    if "adversarial" in wanted:
        verdict = networks["discriminator"](_pair(*images, batch.mask)).float()
        losses["adversarial"] = terms.generator_adversarial(verdict)
    if "tissue_adversarial" in wanted:
        verdict = networks["tissue_discriminator"](_tissue_pair(*images, tissue)).float()
        losses["tissue_adversarial"] = terms.generator_adversarial(verdict)
    return losses


def _discriminators_losses(
    wanted: Collection[str],
    networks: Networks,
    batch: Batch,
    generated: Mapping[str, Tensor],
    tissue: Tensor,
) -> dict[str, Tensor]:
    """Return Eq. 3 of D_g and of D_t."""
    real = batch.ct, batch.microct
    fake = batch.ct, generated["microct"].detach()
    losses = {}
    if "discriminator" in wanted:
        network = networks["discriminator"]
        verdicts = (network(_pair(*images, batch.mask)).float() for images in (real, fake))
        losses["discriminator"] = terms.discriminator_loss(*verdicts)
    if "tissue_discriminator" in wanted:
        network = networks["tissue_discriminator"]
        verdicts = (network(_tissue_pair(*images, tissue)).float() for images in (real, fake))
        losses["tissue_discriminator"] = terms.discriminator_loss(*verdicts)
    return losses
