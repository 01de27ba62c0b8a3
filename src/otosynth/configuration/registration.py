"""Settings of the rigid registration of a CT to its micro-CT."""

from typing import Literal

from pydantic import Field

from otosynth.configuration.base import Section


class RegistrationSettings(Section):
    """Rigid registration of a CT to its micro-CT (method.md section 3)."""

    search: Literal["45 degrees", "full sphere"] = Field(
        "45 degrees",
        description="Largest rotation, about any axis, that the automatic search covers.",
    )
    search_step_degrees: float = Field(
        15.0,
        gt=0,
        le=30,
        description="Step of the rotations tried by the search, in degrees; "
        "the coarser search before it takes steps a third larger.",
    )
    search_spacing_mm: float = Field(
        1.0,
        gt=0,
        description="Voxel size of the grid on which rotations are tried, in mm; a grid twice as "
        "coarse is tried before.",
    )
    candidates: int = Field(
        6, ge=1, description="Poses of the search that are refined before one is chosen (count)."
    )
    ct_resolution_mm: float | None = Field(
        None,
        gt=0,
        description="Point spread of the CT, full width at half maximum in mm; empty: estimated "
        "for each pair.",
    )
    histogram_bins: int = Field(
        64, ge=8, description="Bins per axis of the joint histogram of Mattes' metric (count)."
    )
    iterations: int = Field(
        60, ge=1, description="Most iterations of the optimiser in one stage (count)."
    )
    max_samples: int = Field(
        40_000,
        ge=1000,
        description="CT voxels used by the metric (count); of more, a random part at the first "
        "level and every second, third ... along each axis at the last.",
    )
    min_overlap: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="Smallest fraction of the micro-CT that the CT must cover, 0 to 1.",
    )
