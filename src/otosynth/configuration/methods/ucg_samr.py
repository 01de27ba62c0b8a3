"""Settings of UCG-SAMR, which trains without pairs (Guo 2021, section III.E)."""

from typing import ClassVar

from pydantic import Field, model_validator

from otosynth.configuration.base import Section
from otosynth.configuration.methods.base import PriorKind
from otosynth.configuration.methods.cg_samr import SamrSettings


class LossWeights(Section):
    """Weights of the losses of encoders and decoders; all are 1 in Eq. 10."""

    reconstruction: float = Field(1.0, ge=0, description="L1 of the reconstructions, Eq. 7.")
    adversarial: float = Field(1.0, ge=0, description="Adversarial loss of D1 and D2, Eq. 8.")
    cycle: float = Field(1.0, ge=0, description="L1 of the cycles, Eq. 9.")
    confidence: float = Field(
        1.0, ge=0, description="Confidence map (Eq. 1) of reconstruction and cycle, Eq. 7 and 9."
    )


class Settings(SamrSettings):
    """Trained by reconstruction + GAN + cycle, the last terms with their confidence map."""

    gives_classes: ClassVar[bool] = False

    paired: ClassVar[bool] = False

    loss_weights: LossWeights = LossWeights()

    @property
    def prior_kind(self) -> PriorKind:
        """The training ears' votes for each class."""
        return "classes"

    @model_validator(mode="after")
    def an_epoch_can_be_selected(self) -> "Settings":
        """Refuse a training without the two losses that select its epoch."""
        if self.loss_weights.reconstruction == 0 and self.loss_weights.cycle == 0:
            raise ValueError("loss_weights: reconstruction and cycle must not both be 0")
        return self
