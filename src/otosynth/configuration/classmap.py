"""Settings of the class map: the histogram that is thresholded, and the closing."""

from pydantic import Field, model_validator

from otosynth.configuration.base import Section


class ClassMapSettings(Section):
    """How a micro-CT becomes air, soft tissue and bone (method.md section 4)."""

    window: tuple[float, float] | None = Field(
        None,
        description=(
            "Lowest and highest micro-CT intensity (the scan's own unit) that the histogram "
            "counts; voxels outside take part in no threshold but are classified. "
            "Empty: the whole range."
        ),
    )
    logarithmic: bool = Field(
        False,
        description=(
            "Threshold the logarithm of the intensity, for scans whose soft tissue and air lie "
            "close together at the low end."
        ),
    )
    bins: int = Field(256, ge=16, le=1024, description="Number of histogram bins (no unit).")
    closing_radius_um: float | None = Field(
        None,
        gt=0,
        description=(
            "Radius of the ball that closes each class, in micrometres. "
            "Empty: the larger of 37.6 um and one voxel."
        ),
    )

    @model_validator(mode="after")
    def _window_is_ordered(self) -> "ClassMapSettings":
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError(f"window: the low end must be below the high end, not {self.window}")
        return self
