"""Settings of the atlas baseline."""

from typing import Literal

from pydantic import Field, field_validator

from otosynth.configuration.base import Section

Fusion = Literal["majority", "locally_weighted", "staple"]

# What a fused vote is called among the methods, and what is added to the atlas's title.
METHODS: dict[Fusion, str] = {
    "majority": "atlas",
    "locally_weighted": "atlas_weighted",
    "staple": "atlas_staple",
}
SUFFIXES: dict[Fusion, str] = {
    "majority": "",
    "locally_weighted": ", locally weighted",
    "staple": ", STAPLE",
}


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
        1.5, gt=0, description="Voxel size of the grid on which rotations are tried, in mm."
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
        0.4, gt=0, description="Voxel size of the B-spline registration, in mm."
    )
    mesh_spacing_mm: float = Field(
        2.0, gt=0, description="Distance of the B-spline's control points, in mm."
    )
    iterations: int = Field(
        60, ge=1, description="Most iterations of the optimiser in one stage (count)."
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
    fusions: tuple[Fusion, ...] = Field(
        ("majority",),
        min_length=1,
        description="Rules by which the carried class maps are fused, each evaluated by itself: "
        "`majority` voting, `locally_weighted` voting by the similarity of the CTs "
        "(Artaechevarria 2009), or `staple` (Warfield 2004).",
    )
    similarity_radius_mm: float = Field(
        1.0,
        gt=0,
        description="Half the edge of the window in which `locally_weighted` compares the CTs, "
        "in mm.",
    )

    @field_validator("fusions")
    @classmethod
    def fusions_differ(cls, fusions: tuple[Fusion, ...]) -> tuple[Fusion, ...]:
        """Refuse a rule that is named twice."""
        if len(set(fusions)) != len(fusions):
            raise ValueError("fusions must not name a rule twice")
        return fusions

    def methods(self) -> dict[str, Fusion]:
        """Return the names that the fused votes have in tables, with their fusions."""
        return {METHODS[fusion]: fusion for fusion in self.fusions}

    def title_of(self, fusion: Fusion) -> str:
        """Return the name of a fused vote in figures and tables."""
        return self.title + SUFFIXES[fusion]
