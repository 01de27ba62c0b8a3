"""How intensities are scaled and volumes are cut into patches (docs/method.md, section 5)."""

from typing import Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section


class NormalisationSettings(Section):
    """Intensities to [-1, 1], from windows that no tested ear has influenced."""

    ct_window_hu: tuple[float, float] = Field(
        (-1000.0, 2500.0), description="CT values (HU) that become -1 and 1."
    )
    microct_percentiles: tuple[float, float] = Field(
        (0.5, 99.5),
        description="Percentiles of the group's training micro-CTs, inside the mask, "
        "that become -1 and 1.",
    )
    scale: Literal["linear", "log"] = Field(
        "linear", description="Micro-CT scale between the window's ends: linear or logarithmic."
    )

    @model_validator(mode="after")
    def windows_rise(self) -> "NormalisationSettings":
        """Refuse an empty or reversed window."""
        low, high = self.microct_percentiles
        if not 0 <= low < high <= 100:
            raise ValueError("microct_percentiles must be two rising numbers between 0 and 100")
        if self.ct_window_hu[0] >= self.ct_window_hu[1]:
            raise ValueError("ct_window_hu must be two rising numbers")
        return self


class PatchSettings(Section):
    """Patch geometry (thesis III.1: 96^3, training patches overlap by 24)."""

    size: int = Field(96, ge=8, multiple_of=4, description="Edge of a cubic patch (voxels).")
    overlap: int = Field(24, ge=0, description="Overlap of training patches (voxels).")
    min_mask_fraction: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Training patches with less of their voxels inside the mask are left out.",
    )

    @model_validator(mode="after")
    def stride_is_positive(self) -> "PatchSettings":
        """Refuse an overlap that leaves no stride."""
        if self.overlap >= self.size:
            raise ValueError("patches.overlap must be smaller than patches.size")
        return self
