"""Settings of CG-SAMR (Guo 2021, section III.A to III.D)."""

from typing import Literal

from pydantic import Field

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import MethodSettings, PriorKind


class SamrSettings(MethodSettings):
    """What the paired and the unpaired method share: encoder, decoder, discriminators, L_CM."""

    width: int = Field(32, ge=2, description="Channels after the first convolution.")
    halvings: int = Field(
        2,
        ge=1,
        le=5,
        description="Layers of the encoder with stride 2. The paper has 4, for slices of 256^2.",
    )
    residual_blocks: int = Field(
        3, ge=1, description="Residual blocks of the encoder, and as many of the decoder."
    )
    norm: Literal["instance", "layer"] = Field(
        "layer",
        description="Norm in place of the paper's batch norm, which a batch of one patch does not "
        "suit; `layer` keeps a patch's absolute intensity.",
    )
    discriminator_width: int = Field(
        32, ge=2, description="Channels of a discriminator's first block."
    )
    discriminator_blocks: int = Field(
        3, ge=1, le=5, description="Strided blocks of a discriminator."
    )
    adversarial: Literal["log", "least_squares"] = Field(
        "least_squares",
        description="Adversarial loss: least squares, as in the public code, or the logarithm of "
        "Eq. 2 and 8.",
    )
    confidence_weight: float = Field(
        0.1, ge=0, description="Weight of the logarithm of the confidence, lambda_cm of Eq. 1."
    )
    lowered_confidence_weight: float = Field(
        0.03, ge=0, description="That weight in a step whose mean confidence is high."
    )
    high_confidence: float = Field(
        0.7, gt=0, le=1, description="Mean confidence above which the weight is lowered."
    )

    @property
    def smallest_patch(self) -> int:
        """Smallest edge whose coarsest features, in G and in D, are more than one voxel."""
        return int(2 ** (max(self.halvings, self.discriminator_blocks) + 1))

    @property
    def patch_multiple(self) -> int:
        """The encoder's halvings, all of which the decoder undoes."""
        return int(2**self.halvings)


class LossWeights(Section):
    """Weights of the losses of generator and segmentor (Eq. 6)."""

    adversarial: float = Field(1.0, ge=0, description="Adversarial loss of six discriminators.")
    feature_matching: float = Field(5.0, ge=0, description="Feature matching, lambda_1 (Eq. 3).")
    shape: float = Field(
        1.0,
        gt=0,
        description="Shape consistency, lambda_2 (Eq. 5). It alone trains the segmentor, which "
        "gives the class map.",
    )
    confidence: float = Field(1.0, ge=0, description="Confidence map, lambda_3 (Eq. 1).")


class Settings(SamrSettings):
    """Trained by GAN + 5 feature matching + shape consistency + confidence map (Eq. 6)."""

    segmentor_width: int = Field(16, ge=1, description="Channels of U's first resolution.")
    segmentor_levels: int = Field(3, ge=2, le=5, description="Resolutions of U, a U-Net.")
    loss_weights: LossWeights = LossWeights()

    @property
    def prior_kind(self) -> PriorKind:
        """The mean micro-CT of the training ears."""
        return "microct"

    @property
    def smallest_patch(self) -> int:
        """As G and D need it; three of the six discriminators see the patch at half its size."""
        coarsest = max(self.halvings, self.discriminator_blocks + 1, self.segmentor_levels - 1)
        return int(2 ** (coarsest + 1))

    @property
    def patch_multiple(self) -> int:
        """As G or U halves a patch, whichever does so more often."""
        return int(2 ** max(self.halvings, self.segmentor_levels - 1))
