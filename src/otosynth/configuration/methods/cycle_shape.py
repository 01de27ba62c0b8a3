"""Settings of the cycle- and shape-consistent GAN (Zhang 2018)."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import MethodSettings


class LossWeights(Section):
    """Weights of the generators' losses (Zhang 2018, Eq. 3)."""

    adversarial: float = Field(1.0, ge=0, description="Adversarial losses of both domains.")
    cycle: float = Field(10.0, ge=0, description="Cycle consistency, Eq. 1 (lambda).")
    shape: float = Field(
        1.0, ge=0, description="Shape consistency, Eq. 2 (gamma); 0: a CycleGAN beside segmentors."
    )


class Settings(MethodSettings):
    """Trained without pairs by GAN + 10 cycle + 1 shape (Eq. 3)."""

    paired: ClassVar[bool] = False

    width: int = Field(
        32, ge=2, description="Channels of the first resolution of every U-Net and of D."
    )
    levels: int = Field(
        3,
        ge=1,
        le=6,
        description="Resolutions of generators and segmentors: a patch is halved once less. "
        "Zhang 2018 has 4.",
    )
    norm: Literal["instance", "layer"] = Field(
        "layer",
        description="Norm in the generators; `layer` keeps a patch's absolute intensity, "
        "`instance` is the paper's. The segmentors have none.",
    )
    discriminator_blocks: int = Field(3, ge=1, le=5, description="Strided blocks of D.")
    adversarial: Literal["log", "least_squares"] = Field(
        "least_squares", description="Adversarial loss: least squares as CycleGAN, or log."
    )
    pretraining_epochs: int = Field(
        0,
        ge=0,
        description="First epochs, in which generators (without shape) and segmentors (on real "
        "volumes) learn apart.",
    )
    classes_from: Literal["synthetic", "ct"] = Field(
        "synthetic",
        description="Whose classes it predicts: S_B's of the synthetic micro-CT, or S_A's of the "
        "CT itself. A block with `weights_of` shows the other beside.",
    )
    loss_weights: LossWeights = LossWeights()

    @property
    def smallest_patch(self) -> int:
        """Smallest edge that no network halves to a single voxel, which has no instance norm."""
        return int(2 ** max(self.levels, self.discriminator_blocks + 1))

    @property
    def patch_multiple(self) -> int:
        """The U-Nets halve a patch ``levels - 1`` times."""
        return int(2 ** (self.levels - 1))

    @property
    def first_selectable_epoch(self) -> int:
        """First epoch with shape consistency."""
        return self.pretraining_epochs + 1

    @model_validator(mode="after")
    def there_is_a_loss(self) -> "Settings":
        """Refuse generators without any loss."""
        if not any(self.loss_weights.model_dump().values()):
            raise ValueError("loss_weights must not all be 0")
        return self

    @model_validator(mode="after")
    def pretraining_ends(self) -> "Settings":
        """Refuse a pre-training that leaves no epoch for the training."""
        if self.pretraining_epochs >= self.epochs:
            raise ValueError("pretraining_epochs must be fewer than epochs")
        return self
