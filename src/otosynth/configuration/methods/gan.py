"""Settings that the thesis's two conditional GANs share (docs/method.md, sections 6 and 7)."""

from typing import Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import MethodSettings


class LossWeights(Section):
    """Weights of the generator's losses (thesis Eq. 5 and 6)."""

    adversarial: float = Field(1.0, ge=0, description="Adversarial loss, Eq. 1.")
    weighted_l1: float = Field(5.0, ge=0, description="Class-weighted L1 loss, Eq. 2.")
    perception: float = Field(5.0, ge=0, description="Perception loss, Eq. 3.")
    dice: float = Field(0.0, ge=0, description="Dice loss, Eq. 4; needs a method with a class map.")
    hausdorff: float = Field(
        0.0, ge=0, description="Hausdorff loss of the classes (left for later by the thesis)."
    )
    centreline: float = Field(
        0.0, ge=0, description="Centreline Dice, a topology-aware loss of the classes."
    )


class GanSettings(MethodSettings):
    """A method's networks, losses and schedule."""

    width: int = Field(64, ge=2, description="Channels after the first convolution of G and D.")
    residual_blocks: int = Field(6, ge=1, description="Residual blocks of G.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout in the residual blocks: noise z.")
    norm: Literal["instance", "layer", "none"] = Field(
        "instance", description="Norm in G; `layer` and `none` keep a patch's absolute intensity."
    )
    outer_kernel: Literal[3, 5, 7] = Field(
        7, description="Edge of the kernels of G's first and last convolution (voxels)."
    )
    upsampling: Literal["nearest", "transposed"] = Field(
        "nearest", description="Nearest neighbour and convolution, or transposed convolution."
    )
    discriminator_blocks: int = Field(3, ge=1, le=5, description="Strided blocks of D.")
    adversarial: Literal["log", "least_squares"] = Field(
        "log", description="Adversarial loss: Eq. 1, or least squares."
    )
    loss_weights: LossWeights

    @property
    def smallest_patch(self) -> int:
        """Smallest edge that D does not halve to a single voxel, which has no instance norm."""
        return int(2 ** (self.discriminator_blocks + 1))

    @model_validator(mode="after")
    def there_is_a_loss(self) -> "GanSettings":
        """Refuse a generator without any loss."""
        if not any(self.loss_weights.model_dump().values()):
            raise ValueError("loss_weights must not all be 0")
        return self
