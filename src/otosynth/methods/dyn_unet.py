"""Direct segmentation of the CT by a U-Net of nnU-Net's kind (Isensee 2021), MONAI's DynUNet.

Of nnU-Net's recipe it has the network (instance norm, leaky ReLU, strided 3^3 convolutions,
transposed convolutions, at most 320 channels), He's initialisation, deep supervision, and Dice
plus cross-entropy. It has not its optimiser (SGD with Nesterov momentum and a polynomial rate:
this study's trainer uses Adam with a rate that falls linearly), its augmentation, its cascade,
its ensemble nor its planning of patch and batch size. MONAI compares the coarser heads after
nearest-neighbour up-sampling with the full classes; nnU-Net down-samples the classes.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.dyn_unet import Settings
from otosynth.losses import segmentation as terms
from otosynth.methods import base
from otosynth.methods.base import Batch, CtPatch, Networks, PatchPrediction
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES

# nnU-Net's values (Isensee 2021).
MOST_CHANNELS = 320
NEGATIVE_SLOPE = 0.01
# MONAI keeps each of these a second time in `skip_layers`, which alone it runs. Two names for
# one weight do not fit into a checkpoint.
TWICE_NAMED = ("input_block", "downsamples", "bottleneck", "upsamples", "deep_supervision_heads")


class Method(base.Method):
    """The class map from the CT, without a micro-CT; selected by Dice plus cross-entropy."""

    settings: Settings
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"segmenter": ("segmenter",)}

    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the U-Net with weights drawn from ``seed``."""
        segmenter = _dyn_unet(self.settings)
        _initialise(segmenter, derive_seed(seed, "weights", "segmenter"))
        return {"segmenter": segmenter}

    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the weights of Dice and cross-entropy, in every epoch."""
        return dict(terms.WEIGHTS)

    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the U-Net: ``logits`` (batch, head, 3, z, y, x), the finest head first."""
        return {"logits": _logits(networks, batch.ct)}

    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return Dice and cross-entropy, each averaged over the heads."""
        losses = terms.deeply_supervised(generated["logits"].unbind(dim=1), batch.classes)
        return {name: losses[name] for name in wanted}

    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return Dice and cross-entropy of the finest head."""
        return terms.dice_and_cross_entropy(_logits(networks, batch.ct)[:, 0], batch.classes)

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return Dice plus cross-entropy."""
        return terms.validation_score(losses)

    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict the classes."""
        return PatchPrediction(None, torch.softmax(_logits(networks, patch.ct)[:, 0], dim=1))


def _logits(networks: Networks, ct: Tensor) -> Tensor:
    """Return logits (batch, head, 3, z, y, x); outside training MONAI gives the finest alone."""
    logits: Tensor = networks["segmenter"](ct).float()
    return logits if logits.dim() == 6 else logits[:, None]


def _dyn_unet(settings: Settings) -> nn.Module:
    # Imported here: MONAI takes seconds to import, and only this network needs it.
    from monai.networks.nets import DynUNet

    levels = settings.levels
    network: nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=len(CLASSES),
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=[min(settings.width * 2**k, MOST_CHANNELS) for k in range(levels)],
        norm_name=("INSTANCE", {"affine": True}),
        act_name=("leakyrelu", {"inplace": True, "negative_slope": NEGATIVE_SLOPE}),
        deep_supervision=settings.deep_supervision_heads > 0,
        deep_supr_num=max(settings.deep_supervision_heads, 1),
    )
    for name in TWICE_NAMED:
        if hasattr(network, name):
            delattr(network, name)
    return network


def _initialise(network: nn.Module, seed: int) -> None:
    """Draw MONAI's own initial weights (He 2015) again, from ``seed`` alone."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=NEGATIVE_SLOPE, generator=generator)
