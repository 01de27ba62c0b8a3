"""Settings of the super-resolution segmentation: a coarse CT in, a fine class map out."""

from typing import ClassVar, Literal

from pydantic import Field

from otosynth.configuration.methods.base import MethodSettings


class Settings(MethodSettings):
    """Trained by Dice and cross-entropy."""

    gives_microct: ClassVar[bool] = False

    coarse_factor: float = Field(
        2.5,
        gt=1,
        le=8,
        description="CT voxel over micro-CT voxel (after `factor`): how much coarser the grid is "
        "on which the CT is read.",
    )
    width: int = Field(64, ge=2, description="Channels on the coarse grid; halved at each step up.")
    residual_blocks: int = Field(8, ge=1, description="Residual blocks on the coarse grid.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in the residual blocks.")
    norm: Literal["instance", "layer"] = Field(
        "layer", description="Norm; `layer` keeps a patch's absolute intensity."
    )

    @property
    def patch_multiple(self) -> int:
        """Any edge will do: nothing is halved (voxels)."""
        return 1
