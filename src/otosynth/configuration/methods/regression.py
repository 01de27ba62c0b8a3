"""Settings of the regression: the thesis's generator without an adversary."""

from typing import ClassVar, Literal

from pydantic import Field

from otosynth.configuration.methods.base import MethodSettings


class Settings(MethodSettings):
    """Trained by the class-weighted L1 loss alone (thesis Eq. 2)."""

    gives_classes: ClassVar[bool] = False

    width: int = Field(64, ge=2, description="Channels after the first convolution.")
    residual_blocks: int = Field(6, ge=1, description="Residual blocks.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout in the residual blocks.")
    norm: Literal["instance", "layer"] = Field(
        "instance", description="Norm; `layer` keeps a patch's absolute intensity."
    )
    upsampling: Literal["nearest", "transposed"] = Field(
        "nearest", description="Nearest neighbour and convolution, or transposed convolution."
    )
