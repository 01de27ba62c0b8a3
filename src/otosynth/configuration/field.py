"""The electric field of a cochlear implant that a class map predicts (docs/field.md)."""

from typing import Literal

from pydantic import Field, model_validator

from otosynth.configuration.base import Section


class Conductivities(Section):
    """Conductivity of each tissue, S/m; air insulates. docs/field.md names the sources."""

    soft: float = Field(0.33, gt=0, description="Conductivity of soft tissue, S/m.")
    bone: float = Field(0.01, gt=0, description="Conductivity of bone, S/m.")
    fluid: float | None = Field(
        1.654,
        gt=0,
        description="Conductivity (S/m) of soft voxels that are labelled as fluid of the inner "
        "ear, as the phantom's are; null: that of soft tissue.",
    )
    nerve: float | None = Field(
        0.33,
        gt=0,
        description="Conductivity (S/m) of soft voxels that are labelled as nerve, as the "
        "phantom's are; null: that of soft tissue.",
    )
    surroundings: float = Field(
        0.33, gt=0, description="Conductivity of the head outside the class map, S/m."
    )


class FieldSettings(Section):
    """Electrode array, neural sites and the grid on which the potential is computed."""

    compute: bool = Field(
        True,
        description="Whether the electric field of every class map is computed and scored. Ears "
        "without electrodes are left out anyway.",
    )
    spacing_mm: float = Field(
        0.36,
        gt=0,
        description="Voxel edge of the field's grid, mm: as many voxels of the class map as come "
        "nearest make one, which conducts as their mixture.",
    )
    boundary_mm: float = Field(
        10.0,
        ge=5.0,
        description="Distance of the outer boundary from the class map, mm; the return electrode "
        "of monopolar stimulation is infinitely far beyond it.",
    )
    contacts: int = Field(12, ge=12, le=22, description="Contacts of the electrode array (count).")
    first_contact_mm: float = Field(
        3.0, ge=0, description="Depth of the first contact along scala tympani, mm."
    )
    contact_pitch_mm: float = Field(
        1.4, gt=0, description="Distance between neighbouring contacts, mm."
    )
    misplaced_contacts: Literal["refuse", "leave_out"] = Field(
        "refuse",
        description="What becomes of an ear with contacts in bone or air by the micro-CT's class "
        "map: `refuse` it with a list of them, or `leave_out` these contacts, for all methods, "
        "with a message.",
    )
    site_pitch_mm: float = Field(
        0.25, gt=0, description="Distance between neighbouring neural sites, mm."
    )
    site_offset_mm: float = Field(
        1.2,
        gt=0,
        description="Distance of the neural sites from the middle of scala tympani towards the "
        "modiolus, mm. Only for ears with landmarks; the phantom knows its spiral ganglion.",
    )
    conductivity: Conductivities = Conductivities()

    @model_validator(mode="after")
    def boundary_is_beyond_a_voxel(self) -> "FieldSettings":
        """Refuse a boundary nearer than a voxel."""
        if self.boundary_mm < self.spacing_mm:
            raise ValueError("boundary_mm must be larger than spacing_mm")
        return self
