"""Settings of the residual U-Net, the study's own method."""

from typing import Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import MethodSettings, PriorChanges, PriorKind


class LossWeights(Section):
    """Weights of the losses; a loss of weight 0 is not computed."""

    cross_entropy: float = Field(1.0, ge=0, description="Cross-entropy of the classes.")
    dice: float = Field(1.0, ge=0, description="Soft Dice loss, pooled over the batch.")
    l1: float = Field(1.0, ge=0, description="L1 of the micro-CT inside the mask.")


class Settings(MethodSettings):
    """Trained by cross-entropy + soft Dice of the classes + L1 of the micro-CT."""

    widths: tuple[int, ...] = Field(
        (32, 64, 96),
        min_length=1,
        max_length=5,
        description="Channels of each resolution, of which the finest is half the patch's.",
    )
    dice_smoothing: float = Field(
        0.02,
        gt=0,
        description="What the Dice loss adds to both sides of its quotient, as a share of the "
        "batch's voxels inside the mask.",
    )
    loss_weights: LossWeights = LossWeights()
    prior: Literal["classes"] | None = Field(
        None,
        description="`classes`: the network also reads each class's share of the votes of the "
        "other training ears, registered to the ear.",
    )
    prior_dropout: float = Field(
        0.5, ge=0, le=1, description="Share of the training patches whose prior is set to 0."
    )
    prior_jitter_voxels: int = Field(
        0,
        ge=0,
        description="Voxels by which a training patch's prior is shifted at random along each "
        "axis, at most.",
    )
    schedule: Literal["linear", "cosine"] = "cosine"
    adam_betas: tuple[float, float] = (0.9, 0.999)

    @property
    def prior_kind(self) -> PriorKind | None:
        """As the key says."""
        return self.prior

    @property
    def prior_changes(self) -> PriorChanges:
        """As the keys say."""
        return PriorChanges(self.prior_dropout, self.prior_jitter_voxels)

    @property
    def smallest_patch(self) -> int:
        """As `patch_multiple`: a single coarsest voxel is enough without a norm (voxels)."""
        return self.patch_multiple

    @property
    def patch_multiple(self) -> int:
        """The network halves a patch once a resolution."""
        return int(2 ** len(self.widths))

    @model_validator(mode="after")
    def widths_are_possible(self) -> "Settings":
        """Refuse resolutions without channels."""
        if min(self.widths) < 1:
            raise ValueError("widths must be at least 1")
        return self

    @model_validator(mode="after")
    def classes_are_learned(self) -> "Settings":
        """Refuse a training that nothing tells the classes."""
        if self.loss_weights.cross_entropy == 0 and self.loss_weights.dice == 0:
            raise ValueError("loss_weights: cross_entropy and dice must not both be 0")
        return self
