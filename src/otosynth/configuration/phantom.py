"""Settings of the phantom: its scale, its variation and its two scanners (method.md section 9)."""

from pydantic import Field

from otosynth.configuration.base import Section


class PhantomSettings(Section):
    """How large and how fine the virtual ears are, and how they are scanned."""

    spacing_mm: float = Field(
        0.12,
        ge=0.02,
        le=1.0,
        description="Voxel edge of the micro-CT, mm; 0.0376 is the thesis's.",
    )
    size_mm: float = Field(
        15.0, ge=10.0, le=40.0, description="Edge of the micro-CT's cube round the cochlea, mm."
    )
    ct_spacing_mm: float = Field(0.3, ge=0.1, le=1.0, description="Voxel edge of the CT, mm.")
    ct_size_mm: float = Field(
        20.0, ge=10.0, le=60.0, description="Edge of the CT's cubic field of view, mm."
    )
    ct_fwhm_mm: float = Field(
        0.6,
        gt=0.0,
        le=2.0,
        description="Full width at half maximum of the CT's point spread in the slice, mm.",
    )
    ct_slice_fwhm_mm: float = Field(
        0.7, gt=0.0, le=2.0, description="The same across slices: the slice sensitivity profile."
    )
    ct_noise_hu: float = Field(
        70.0, ge=0.0, le=500.0, description="Standard deviation of the CT's noise, HU."
    )
    microct_noise_per_mm: float = Field(
        0.0018,
        ge=0.0,
        le=0.02,
        description="Standard deviation of the micro-CT's noise, 1/mm (water is 0.022).",
    )
    microct_ring_per_mm: float = Field(
        0.0006,
        ge=0.0,
        le=0.02,
        description="Standard deviation of the micro-CT's ring artefact, 1/mm (water is 0.022).",
    )
    max_rotation_deg: float = Field(
        12.0,
        ge=0.0,
        le=180.0,
        description="Largest angle by which the CT is turned against the micro-CT, degrees.",
    )
    max_translation_mm: float = Field(
        4.0,
        ge=0.0,
        le=10.0,
        description="Largest distance of the ear from the centre of the CT's field of view, mm.",
    )
    deformation_mm: float = Field(
        0.5,
        ge=0.0,
        le=0.5,
        description="Root mean square length of each ear's smooth random deformation, mm.",
    )
