"""Settings of the direct segmentation of the CT by a U-Net of nnU-Net's kind."""

from typing import ClassVar

from pydantic import Field, model_validator

from otosynth.configuration.methods.base import MethodSettings


class Settings(MethodSettings):
    """Trained by Dice and cross-entropy with deep supervision (Isensee 2021)."""

    gives_microct: ClassVar[bool] = False

    width: int = Field(
        32, ge=2, description="Channels of the first resolution; doubled at each further one."
    )
    levels: int = Field(
        5, ge=3, le=7, description="Resolutions: the patch is halved one time fewer."
    )
    deep_supervision_heads: int = Field(
        2,
        ge=0,
        description="Coarser resolutions that are compared with the classes in training, beside "
        "the finest; at most `levels` - 2. 0: no deep supervision.",
    )

    @property
    def smallest_patch(self) -> int:
        """Edge that is not halved to a single voxel, which has no instance norm (voxels)."""
        return int(2**self.levels)

    @property
    def patch_multiple(self) -> int:
        """What a patch's edge must be a multiple of (voxels)."""
        return int(2 ** (self.levels - 1))

    @model_validator(mode="after")
    def heads_have_resolutions(self) -> "Settings":
        """Refuse more heads than there are resolutions between the finest and the coarsest."""
        if self.deep_supervision_heads > self.levels - 2:
            raise ValueError("deep_supervision_heads must be at most levels - 2")
        return self
