"""Settings of the atlas baseline."""

from typing import Literal

from pydantic import Field

from otosynth.configuration.base import Section


class AtlasSettings(Section):
    """Registration of an atlas's CT to a target CT: rigid, affine, B-spline (method.md 8)."""

    title: str = Field("Atlas", description="Name in figures and tables.")
    search: Literal["45 degrees", "full sphere"] = Field(
        "45 degrees",
        description="Largest rotation between two ears that the automatic search covers.",
    )
    search_step_degrees: float = Field(
        15.0, gt=0, le=30, description="Step of the rotations tried by the search, in degrees."
    )
    search_spacing_mm: float = Field(
        1.0, gt=0, description="Voxel size of the grid on which rotations are tried, in mm."
    )
    candidates: int = Field(
        3, ge=1, description="Poses of the search that are refined before one is chosen (count)."
    )
    rigid_spacing_mm: float = Field(
        0.9, gt=0, description="Voxel size at which candidates are refined, in mm."
    )
    affine_spacing_mm: float = Field(
        0.6, gt=0, description="Voxel size of the affine registration, in mm."
    )
    bspline_spacing_mm: float = Field(
        0.6, gt=0, description="Voxel size of the B-spline registration, in mm."
    )
    mesh_spacing_mm: float = Field(
        3.0, gt=0, description="Distance of the B-spline's control points, in mm."
    )
    iterations: int = Field(
        20, ge=1, description="Most iterations of the optimiser in one stage (count)."
    )
    max_samples: int = Field(
        300_000,
        ge=1000,
        description="Target voxels used by the metric (count); of more a random part is drawn.",
    )
    min_overlap: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Smallest fraction of the target that an atlas must cover, 0 to 1.",
    )
