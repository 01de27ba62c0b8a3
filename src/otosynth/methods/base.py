"""What a method is: its networks, its losses, its validation score and its prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from otosynth.configuration.methods import MethodSettings

Networks = Mapping[str, nn.Module]


@dataclass(frozen=True)
class Batch:
    """Patches of pairs, (batch, channel, z, y, x) float32.

    ``ct`` and ``microct`` have one channel in [-1, 1]; ``mask`` one channel, 1 inside; and
    ``classes`` one channel a class (air, soft, bone), one-hot inside the mask, 0 outside.
    """

    ct: Tensor
    microct: Tensor
    mask: Tensor
    classes: Tensor


@dataclass(frozen=True)
class PatchPrediction:
    """What a method says of CT patches: micro-CT in [-1, 1] and, where it gives one, classes.

    Both are (batch, z, y, x); ``classes`` is uint8 with air 0, soft tissue 1, bone 2.
    """

    microct: Tensor
    classes: Tensor | None


class Method(ABC):
    """A trained method. One subclass a file in ``methods/``, called ``Method`` there.

    Attributes
    ----------
    gives_class_map
        Whether the networks predict the classes themselves; otherwise the class map is Otsu
        and the closing on the synthetic micro-CT.
    players
        The networks that each optimiser trains, in the order of their steps.
    """

    gives_class_map: ClassVar[bool]
    players: ClassVar[Mapping[str, tuple[str, ...]]]

    def __init__(self, settings: "MethodSettings") -> None:
        self.settings = settings

    @abstractmethod
    def build_networks(self, seed: int) -> dict[str, nn.Module]:
        """Return the networks by name, with weights drawn from ``seed``."""

    @abstractmethod
    def generate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Run the generator once for a step; every player's losses share the result."""

    @abstractmethod
    def losses(
        self, player: str, networks: Networks, batch: Batch, generated: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return a player's unweighted losses by name."""

    @abstractmethod
    def weights(self, player: str) -> dict[str, float]:
        """Return the weight of each of a player's losses; those of weight 0 are not computed."""

    @abstractmethod
    def validation_losses(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """Return the losses that validation tables, by name (method 8)."""

    @abstractmethod
    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Return the number whose lowest value selects the epoch."""

    @abstractmethod
    def predict(self, networks: Networks, ct: Tensor) -> PatchPrediction:
        """Predict from CT patches (batch, 1, z, y, x) in [-1, 1]."""


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Return the sum of losses times weights (thesis Eq. 5 and 6)."""
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
