"""Rigid registration of a CT to its micro-CT (method.md section 3)."""

from otosynth.registration.initialisation import read_initial_transform
from otosynth.registration.overlap import (
    AIR_HU,
    check_overlap,
    field_of_view_mask,
    resample_measured,
    resample_onto,
)
from otosynth.registration.rigid import RigidRegistration, register_rigid
from otosynth.registration.target_error import target_registration_error

__all__ = [
    "AIR_HU",
    "RigidRegistration",
    "check_overlap",
    "field_of_view_mask",
    "read_initial_transform",
    "register_rigid",
    "resample_measured",
    "resample_onto",
    "target_registration_error",
]
