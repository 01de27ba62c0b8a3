"""What a method is: its networks, its losses, its validation score and its prediction."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor, nn

from otosynth.configuration.methods.base import MethodSettings

Networks = Mapping[str, nn.Module]
AIR_LEVEL = -1.0


@dataclass(frozen=True)
class Batch:
    """Patches of pairs, (batch, channel, z, y, x) float32.

    ``ct`` and ``microct`` have one channel in [-1, 1]; ``mask`` one channel, 1 inside;
    ``classes`` one channel a class (air, soft, bone), one-hot inside the mask, 0 outside; and
    ``prior``, for a method that has one, one channel (a mean micro-CT in [-1, 1]) or one a class
    (their shares of the votes, 0 to 1).
    """

    ct: Tensor
    microct: Tensor
    mask: Tensor
    classes: Tensor
    prior: Tensor | None = None

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All of its patches by name; without a prior where there is none."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    @property
    def known(self) -> "CtPatch":
        """What a prediction may know of these patches."""
        return CtPatch(self.ct, self.mask, self.prior)


@dataclass(frozen=True)
class CtPatch:
    """What a prediction may know of patches: CT, mask and prior, as in ``Batch``."""

    ct: Tensor
    mask: Tensor
    prior: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class UnpairedBatch(Batch):
    """A CT patch and a micro-CT patch of two different ears.

    ``mask``, ``classes`` and ``prior`` are the CT's; the micro-CT has its own.
    """

    microct_mask: Tensor
    microct_classes: Tensor


@dataclass(frozen=True)
class PatchPrediction:
    """What a method says of CT patches, as far as it says it.

    ``microct`` is (batch, 1, z, y, x) in [-1, 1]; ``probabilities`` has one channel a class (air,
    soft, bone).
    """

    microct: Tensor | None
    probabilities: Tensor | None


class Method(ABC):
    """A trained method. One subclass a file in ``methods/``, called ``Method`` there.

    Attributes
    ----------
    players
        The networks that each optimiser trains, in the order of their steps.
    required
        Selected networks of the blocks in ``settings.requires``, by the block's name: frozen, in
        evaluation mode. Training alone has them.
    voxel_mm
        Edge of a voxel (mm). Training alone has it.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]]

    def __init__(self, settings: MethodSettings) -> None:
        self.settings = settings
        self.required: dict[str, Networks] = {}
        self.voxel_mm = math.nan

    @property
    def stays_on_device(self) -> bool:
        """Whether the device computes a whole step by itself, so that a GPU can replay it."""
        return True

    @abstractmethod
    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the networks by name, with weights drawn from ``seed``."""

    @abstractmethod
    def weights(self, player: str, epoch: int) -> dict[str, float]:
        """Return the weight of each of a player's losses in an epoch (counted from 0).

        Losses that are not named are not computed; a player without any rests in that epoch.
        """

    @abstractmethod
    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the generators once for a step; every player's losses share the result."""

    @abstractmethod
    def losses(
        self,
        player: str,
        wanted: Collection[str],
        networks: Networks,
        batch: Batch,
        generated: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return a player's unweighted losses, those that are wanted, by name.

        What ``generated`` holds carries gradients to the generators; other players detach it.
        """

    @abstractmethod
    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return the losses that validation tables, by name (docs/method.md, section 8)."""

    @abstractmethod
    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the number whose lowest value selects the epoch."""

    @abstractmethod
    def predict(self, networks: Networks, patch: CtPatch) -> PatchPrediction:
        """Predict from CT patches."""

    def look(self, networks: Networks, batch: Batch) -> PatchPrediction:
        """Return what a person watches of a validation patch while it trains (Fig. 5)."""
        return self.predict(networks, batch.known)


def air_outside(image: Tensor, mask: Tensor) -> Tensor:
    """Return an image (batch, channel, z, y, x) in [-1, 1] with air, -1, outside a mask."""
    return torch.where(mask > 0, image, AIR_LEVEL)


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of losses times weights (thesis Eq. 5 and 6)."""
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
