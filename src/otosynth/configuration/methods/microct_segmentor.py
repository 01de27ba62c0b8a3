"""Settings of the segmentor of real micro-CTs (S_p of Wu 2023; the S-score of Zhang 2018)."""

from typing import ClassVar, Literal

from pydantic import Field

from otosynth.configuration.methods.base import MethodSettings


class Settings(MethodSettings):
    """A U-Net on the micro-CT, trained by the Dice loss; it serves others and tests no ear."""

    gives_microct: ClassVar[bool] = False
    tested: ClassVar[bool] = False

    width: int = Field(32, ge=2, description="Channels of the U-Net's first resolution.")
    levels: int = Field(
        3, ge=1, le=6, description="Resolutions: a patch is halved once less. Wu 2023 has 5."
    )
    norm: Literal["instance", "layer", "none"] = Field(
        "layer", description="Norm; `layer` keeps a patch's absolute intensity."
    )

    @property
    def smallest_patch(self) -> int:
        """Smallest edge that is not halved to a single voxel, which has no instance norm."""
        return int(2**self.levels)

    @property
    def patch_multiple(self) -> int:
        """The U-Net halves a patch ``levels - 1`` times."""
        return int(2 ** (self.levels - 1))
