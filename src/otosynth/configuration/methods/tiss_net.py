"""Settings of TISS-Net (Wu 2023)."""

from typing import ClassVar, Literal

from pydantic import Field

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import MethodSettings


class LossWeights(Section):
    """Weights of the losses of generator and segmentor (Wu 2023, section 4.1)."""

    l1: float = Field(50.0, ge=0, description="L1 inside the mask, Eq. 1 (alpha_g).")
    tissue_l1: float = Field(200.0, ge=0, description="L1 round soft tissue, Eq. 4 (alpha_t).")
    adversarial: float = Field(1.0, ge=0, description="Adversarial loss of D_g, Eq. 1.")
    tissue_adversarial: float = Field(
        1.0, ge=0, description="Adversarial loss of D_t, round soft tissue, Eq. 4."
    )
    perceptibility: float = Field(
        25.0, ge=0, description="Dice of the frozen micro-CT segmentor, Eq. 5 (lambda_p)."
    )
    coarse: float = Field(1.0, ge=0, description="Dice of the coarse classes (lambda_c).")
    segmentor: float = Field(
        25.0,
        gt=0,
        description="The segmentor's three losses, Eq. 9 (lambda_S): fine, error, consistency.",
    )


class Settings(MethodSettings):
    """Trained by Eq. 10; needs a trained ``microct_segmentor``."""

    requires: ClassVar[tuple[str, ...]] = ("microct_segmentor",)

    width: int = Field(
        32, ge=2, description="Channels of the first resolution of G and S, and of both D."
    )
    levels: int = Field(
        3,
        ge=1,
        le=6,
        description="Resolutions of G and S: a patch is halved once less. Wu 2023 has 5, the "
        "first two of slices.",
    )
    norm: Literal["instance", "layer"] = Field(
        "layer", description="Norm in G and S; `layer` keeps a patch's absolute intensity."
    )
    discriminator_blocks: int = Field(3, ge=1, le=5, description="Strided blocks of both D.")
    tissue_margin_mm: float = Field(
        0.5, gt=0, description="Margin round soft tissue in the mask M of Eq. 4 (mm)."
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
