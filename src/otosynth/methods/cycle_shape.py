"""Cycle- and shape-consistency GAN (Zhang 2018): CT and micro-CT of different ears."""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.cycle_shape import Settings
from otosynth.losses import cycle_shape as terms
from otosynth.losses.thesis import adversarial_loss, dice_loss, masked_l1
from otosynth.methods.base import (
    Batch,
    CtPatch,
    Networks,
    PatchPrediction,
    UnpairedBatch,
    air_outside,
)
from otosynth.methods.base import Method as AnyMethod
from otosynth.methods.microct_segmentor import build_segmentor
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import initialise
from otosynth.networks.unet import UNet
from otosynth.seeds import derive_seed

SEGMENTORS_LOSSES = ("segmentation_real", "segmentation_synthetic", "segmentation_reconstructed")


class Method(AnyMethod):
    """G_B makes a micro-CT (domain B) of a CT (domain A), G_A the reverse.

    S_A and S_B tell the classes of either kind of image: they hold the generators to the
    anatomy, and learn from what those make. D_A and D_B judge single images, not pairs.

    Outside its mask a micro-CT, real or synthetic, and a synthetic or reconstructed CT is -1
    before any network sees it; G_B and S_A read the real CT as it is, as they do in prediction.

    CycleGAN shows D a pool of earlier images. It is left out: its images would have to be part
    of every saved state.
    """

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generators": ("generator_a", "generator_b"),
        "segmentors": ("segmentor_a", "segmentor_b"),
        "discriminators": ("discriminator_a", "discriminator_b"),
    }

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return generators, segmentors and discriminators, weights drawn from ``seed``."""
        s = self.settings
        networks: dict[str, nn.Module] = {}
        for name in self.players["generators"]:
            networks[name] = UNet(1, (1,), s.width, s.levels, s.norm, "strided")
        for name in self.players["discriminators"]:
            networks[name] = Discriminator(1, s.width, s.discriminator_blocks)
        for name, network in networks.items():
            initialise(network, derive_seed(seed, "weights", name))
        for name in self.players["segmentors"]:
            networks[name] = build_segmentor(s.width, s.levels, "none", seed, name)
        return networks

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return Eq. 3's weights; while pre-training, generators and segmentors are apart.

        Both pre-train in the same epochs, which is the same as one after the other: neither
        changes what the other learns.
        """
        named: dict[str, float] = self.settings.loss_weights.model_dump()
        together = epoch >= self.settings.pretraining_epochs
        if player == "segmentors":
            return dict.fromkeys(SEGMENTORS_LOSSES if together else SEGMENTORS_LOSSES[:1], 1.0)
        if player == "discriminators":
            return {"discriminator": 1.0} if named["adversarial"] else {}
        return {n: w for n, w in named.items() if w > 0 and (together or n != "shape")}

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run both generators on real and on synthetic images.

        Returns
        -------
        dict
            ``synthetic_a`` G_A(x_B), ``synthetic_b`` G_B(x_A), ``reconstructed_a``
            G_A(G_B(x_A)) and ``reconstructed_b`` G_B(G_A(x_B)), all (batch, 1, z, y, x).
        """
        both = _unpaired(batch)
        synthetic_b = air_outside(_image(networks["generator_b"], batch.ct), both.mask)
        synthetic_a = air_outside(
            _image(networks["generator_a"], _microct(both)), both.microct_mask
        )
        return {
            "synthetic_a": synthetic_a,
            "synthetic_b": synthetic_b,
            "reconstructed_a": air_outside(_image(networks["generator_a"], synthetic_b), both.mask),
            "reconstructed_b": air_outside(
                _image(networks["generator_b"], synthetic_a), both.microct_mask
            ),
        }

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the losses of the generators (Eq. 3), the segmentors or the discriminators."""
        both = _unpaired(batch)
        if player == "generators":
            return self._generators_losses(wanted, networks, both, generated)
        fixed = {name: image.detach() for name, image in generated.items()}
        if player == "segmentors":
            return _segmentors_losses(wanted, networks, both, fixed)
        return {"discriminator": self._discriminators_loss(networks, both, fixed)}

    def _generators_losses(
        self,
        wanted: Collection[str],
        networks: Networks,
        batch: UnpairedBatch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        losses = {}
        if "adversarial" in wanted:
            losses["adversarial"] = self._adversarial(networks, generated)
        if "cycle" in wanted:
            losses["cycle"] = _cycle(batch, generated)
        if "shape" in wanted:
            losses["shape"] = _shape(networks, batch, generated)
        return losses

    def _adversarial(self, networks: Networks, generated: Mapping[str, Tensor]) -> Tensor:
        """L_GAN of Eq. 3 as the generators see it, the sum of both domains."""
        verdict_a, verdict_b = (
            networks[f"discriminator_{domain}"](generated[f"synthetic_{domain}"]).float()
            for domain in "ab"
        )
        kind = self.settings.adversarial
        return adversarial_loss(verdict_a, True, kind) + adversarial_loss(verdict_b, True, kind)

    def _discriminators_loss(
        self, networks: Networks, batch: UnpairedBatch, generated: Mapping[str, Tensor]
    ) -> Tensor:
        """L_GAN of Eq. 3 as the discriminators see it, the sum of both domains."""
        real = {"a": air_outside(batch.ct, batch.mask), "b": _microct(batch)}
        losses = []
        for domain, image in real.items():
            discriminator = networks[f"discriminator_{domain}"]
            on_real, on_fake = (
                discriminator(shown).float() for shown in (image, generated[f"synthetic_{domain}"])
            )
            losses.append(terms.discriminator_loss(on_real, on_fake, self.settings.adversarial))
        return torch.stack(losses).sum()

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return shape and Dice of S_B(G_B(x)), the cycle, Dice of S_A(x) and L1.

        L1 is only tabled: it needs pairs, which this method does not have.
        """
        generated = self.generate(networks, batch)
        logits = networks["segmentor_b"](generated["synthetic_b"])[0].float()
        return {
            "shape": terms.cross_entropy(logits, batch.classes),
            "cycle": _cycle(_unpaired(batch), generated),
            "dice": dice_loss(torch.softmax(logits, dim=1), batch.classes),
            "dice_ct": dice_loss(self.segment_ct(networks, batch.ct), batch.classes),
            "l1": masked_l1(batch.microct, generated["synthetic_b"], batch.mask),
        }

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the shape loss: the paper stops early by the segmentation loss (4.2)."""
        return losses["shape"]

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the micro-CT G_B(x) and classes: S_B(G_B(x)), or S_A(x) as configured."""
        microct = _image(networks["generator_b"], patch.ct)
        if self.settings.classes_from == "ct":
            return PatchPrediction(microct, self.segment_ct(networks, patch.ct))
        logits = networks["segmentor_b"](air_outside(microct, patch.mask))[0].float()
        return PatchPrediction(microct, torch.softmax(logits, dim=1))

    def segment_ct(self, networks: Networks, ct: Tensor) -> Tensor:
        """Return S_A(x), the classes' probabilities (batch, 3, z, y, x) from the CT itself."""
        return torch.softmax(networks["segmentor_a"](ct)[0].float(), dim=1)


def _unpaired(batch: Batch) -> UnpairedBatch:
    """Return the batch itself, or one ear's pair (in validation) as if it were of two ears."""
    if isinstance(batch, UnpairedBatch):
        return batch
    return UnpairedBatch(**vars(batch), microct_mask=batch.mask, microct_classes=batch.classes)


def _image(generator: nn.Module, image: Tensor) -> Tensor:
    return torch.tanh(generator(image)[0].float())


def _microct(batch: UnpairedBatch) -> Tensor:
    return air_outside(batch.microct, batch.microct_mask)


def _cycle(batch: UnpairedBatch, generated: Mapping[str, Tensor]) -> Tensor:
    return terms.cycle_consistency(
        (batch.ct, batch.microct),
        (generated["reconstructed_a"], generated["reconstructed_b"]),
        (batch.mask, batch.microct_mask),
    )


def _shape(networks: Networks, batch: UnpairedBatch, generated: Mapping[str, Tensor]) -> Tensor:
    """Eq. 2: a synthetic image shows the classes of the image that it was made of."""
    images = generated["synthetic_a"], generated["synthetic_b"]
    return terms.shape_consistency(
        _segment(networks, *images), (batch.microct_classes, batch.classes)
    )


def _segment(networks: Networks, image_a: Tensor, image_b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of S_A of an image in domain A and of S_B of one in domain B."""
    return (
        networks["segmentor_a"](image_a)[0].float(),
        networks["segmentor_b"](image_b)[0].float(),
    )


def _segmentors_losses(
    wanted: Collection[str],
    networks: Networks,
    batch: UnpairedBatch,
    generated: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return Eq. 2's cross-entropy on real, synthetic and reconstructed volumes."""
    losses = {}
    own_classes = (batch.classes, batch.microct_classes)
    if "segmentation_real" in wanted:
        logits = _segment(networks, batch.ct, _microct(batch))
        losses["segmentation_real"] = terms.shape_consistency(logits, own_classes)
    if "segmentation_synthetic" in wanted:
        losses["segmentation_synthetic"] = _shape(networks, batch, generated)
    if "segmentation_reconstructed" in wanted:
        logits = _segment(networks, generated["reconstructed_a"], generated["reconstructed_b"])
        losses["segmentation_reconstructed"] = terms.shape_consistency(logits, own_classes)
    return losses
