"""UCG-SAMR: CG-SAMR trained without pairs, by two autoencoders and cycles (Guo 2021, III.E).

Domain 1 is the CT with the class probabilities of the prior, domain 2 the micro-CT. The keys of
``generated`` say the path: ``x12`` is x of domain 1, translated to domain 2; ``x121`` is that,
translated back.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.ucg_samr import Settings
from otosynth.losses.thesis import adversarial_loss, masked_l1
from otosynth.methods import base
from otosynth.methods.base import (
    Batch,
    CtPatch,
    Networks,
    PatchPrediction,
    UnpairedBatch,
    air_outside,
)
from otosynth.methods.cg_samr import confidence_map_loss, with_prior
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import initialise
from otosynth.networks.samr import Encoder, GuidedDecoder, PlainDecoder
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES

# CT and one probability a class.
DOMAIN_1_CHANNELS = 1 + len(CLASSES)


class Method(base.Method):
    """F2(E1(x)) is the synthetic micro-CT of x; F1(E2(y)) leads back (Fig. 5)."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "translators": ("encoder_1", "decoder_1", "encoder_2", "decoder_2"),
        "discriminators": ("discriminator_1", "discriminator_2"),
    }

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return E1, F1, E2, F2, D1 and D2 with weights drawn from ``seed``."""
        s = self.settings
        trunk = (s.width, s.halvings, s.residual_blocks, s.norm)
        judge = (s.discriminator_width, s.discriminator_blocks)
        networks: dict[str, nn.Module] = {
            "encoder_1": Encoder(DOMAIN_1_CHANNELS, *trunk),
            "decoder_1": PlainDecoder(DOMAIN_1_CHANNELS, *trunk),
            "encoder_2": Encoder(1, *trunk),
            "decoder_2": GuidedDecoder(*trunk),
            "discriminator_1": Discriminator(DOMAIN_1_CHANNELS, *judge),
            "discriminator_2": Discriminator(1, *judge),
        }
        for name, network in networks.items():
            initialise(network, derive_seed(seed, "weights", name))
        return networks

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the loss weights: Eq. 10 for E and F, the adversarial loss for D."""
        if player == "discriminators":
            return {"discriminators": 1.0}
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        return {name: weight for name, weight in named.items() if weight > 0}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the streams of Fig. 5: reconstructions, translations and cycles.

        ``x11``, ``y21`` and ``x121`` are of domain 1 (batch, 4, z, y, x), ``y22``, ``x12`` and
        ``y212`` of domain 2 (batch, 1, z, y, x); with the last word ``half`` and ``confidence``,
        what F2 made of y at half size.
        """
        microct_mask = _microct_mask(batch)
        to_1, to_2 = networks["decoder_1"], networks["decoder_2"]
        latent_x = networks["encoder_1"](domain_1(batch.ct, batch.prior))
        latent_y = networks["encoder_2"](air_outside(batch.microct, microct_mask))
        streams = {"x11": to_1(latent_x), "x12": to_2(latent_x)[0], "y21": to_1(latent_y)}
        streams |= _named("y22", to_2(latent_y))
        # Outside its mask a translation has learned from nothing: it is no part of the cycle.
        back_from_2 = networks["encoder_2"](air_outside(streams["x12"], batch.mask))
        back_from_1 = networks["encoder_1"](air_outside(streams["y21"], microct_mask))
        streams["x121"] = to_1(back_from_2)
        return streams | _named("y212", to_2(back_from_1))

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the losses of E and F (Eq. 7 to 9) or of D (Eq. 8)."""
        if player == "discriminators":
            return {"discriminators": self._discriminators_loss(networks, batch, generated)}
        losses = {}
        if "reconstruction" in wanted:
            losses["reconstruction"] = _l1_of_both(batch, generated["x11"], generated["y22"])
        if "adversarial" in wanted:
            losses["adversarial"] = self._adversarial_loss(networks, batch, generated)
        if "cycle" in wanted:
            losses["cycle"] = _l1_of_both(batch, generated["x121"], generated["y212"])
        if "confidence" in wanted:
            losses["confidence"] = self._confidence_loss(batch, generated)
        return losses

    def _adversarial_loss(
        self, networks: Networks, batch: Batch, generated: Mapping[str, Tensor]
    ) -> Tensor:
        """Return Eq. 8 for the translations: D1 of y and D2 of x should say real."""
        kind = self.settings.adversarial
        verdict_1 = _judge(networks["discriminator_1"], generated["y21"], _microct_mask(batch))
        verdict_2 = _judge(networks["discriminator_2"], generated["x12"], batch.mask)
        return adversarial_loss(verdict_1, True, kind) + adversarial_loss(verdict_2, True, kind)

    def _confidence_loss(self, batch: Batch, generated: Mapping[str, Tensor]) -> Tensor:
        """Return the confidence map losses of Eq. 7 and 9: F2 of y and of y translated."""
        mask = _microct_mask(batch)
        reconstruction, cycle = (
            confidence_map_loss(
                self.settings,
                generated[f"{stream} half"],
                generated[f"{stream} confidence"],
                batch.microct,
                mask,
            )
            for stream in ("y22", "y212")
        )
        return reconstruction + cycle

    def _discriminators_loss(
        self, networks: Networks, batch: Batch, generated: Mapping[str, Tensor]
    ) -> Tensor:
        """Return Eq. 8 for D1 and D2."""
        kind = self.settings.adversarial
        mask, microct_mask = batch.mask, _microct_mask(batch)
        d1, d2 = networks["discriminator_1"], networks["discriminator_2"]
        reals = (
            _judge(d1, domain_1(batch.ct, batch.prior), mask),
            _judge(d2, batch.microct, microct_mask),
        )
        fakes = (
            _judge(d1, generated["y21"].detach(), microct_mask),
            _judge(d2, generated["x12"].detach(), mask),
        )
        terms = [adversarial_loss(verdict, True, kind) for verdict in reals]
        terms += [adversarial_loss(verdict, False, kind) for verdict in fakes]
        # The mean of real and fake, as conditional_gan has it.
        return torch.stack(terms).sum() / 2

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return reconstruction and cycle; and the L1 that needs pairs, for the table alone."""
        generated = self.generate(networks, batch)
        return {
            "reconstruction": _l1_of_both(batch, generated["x11"], generated["y22"]),
            "cycle": _l1_of_both(batch, generated["x121"], generated["y212"]),
            "l1": masked_l1(batch.microct, generated["x12"], batch.mask),
        }

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Reconstruction plus cycle, each with its training weight.

        The paper names no rule. This one needs no pairs, as the training does not.
        """
        w = self.settings.loss_weights
        return w.reconstruction * losses["reconstruction"] + w.cycle * losses["cycle"]

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT F2(E1(x)); it gives no classes."""
        microct, _, _ = networks["decoder_2"](
            networks["encoder_1"](domain_1(patch.ct, patch.prior))
        )
        return PatchPrediction(microct, None)


def domain_1(ct: Tensor, prior: Tensor | None) -> Tensor:
    """Return x of domain 1 (batch, 4, z, y, x) in [-1, 1]: CT and class probabilities.

    Raises
    ------
    ValueError
        If there is no prior.
    """
    return with_prior(ct, None if prior is None else 2 * prior - 1)


def _microct_mask(batch: Batch) -> Tensor:
    """Return the mask of the micro-CT; in validation it is of the same ear as the CT."""
    return batch.microct_mask if isinstance(batch, UnpairedBatch) else batch.mask


def _named(stream: str, decoded: tuple[Tensor, Tensor, Tensor]) -> dict[str, Tensor]:
    image, half, confidence = decoded
    return {stream: image, f"{stream} half": half, f"{stream} confidence": confidence}


def _judge(discriminator: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    """Return a discriminator's verdict on what is inside the mask."""
    verdict: Tensor = discriminator(air_outside(image, mask)).float()
    return verdict


def _l1_of_both(batch: Batch, x: Tensor, y: Tensor) -> Tensor:
    """Return the L1 of domain 1 (mean of its channels) plus that of domain 2, inside the masks."""
    original = domain_1(batch.ct, batch.prior)
    of_1 = masked_l1(original, x, batch.mask) / DOMAIN_1_CHANNELS
    return of_1 + masked_l1(batch.microct, y, _microct_mask(batch))
