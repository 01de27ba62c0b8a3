"""What makes one ear differ from the next: every number drawn from the seed and the specimen."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom.waves import Waves, draw_waves


@dataclass(frozen=True)
class Variation:
    """The variation of one ear and of its pose in the CT.

    ``size`` scales the whole ear. ``head_rotation`` (3, 3) and ``head_offset_mm`` place it in the
    micro-CT. A micro-CT point p lies in the CT at
    ``pose_rotation @ p + pose_offset_mm + ct_centre_mm``.

    Round the labyrinth every ear differs more: ``middle_ear_scale`` (3,), the offsets (3,) of
    middle ear, nerves and vessels, the width of the internal auditory canal, the heights of the
    tegmen and of the posterior fossa. ``pneumatisation`` runs from 0 to 1; ``filled_cells`` is the
    fraction of air cells that hold soft tissue. ``wall`` modulates the thickness of thin walls
    (1 component, about -1 to 1). ``marrow_spacing_mm`` and ``marrow_radius``, a share of it, size
    the marrow spaces of spongy bone, and ``diploe`` widens or narrows them (1 component).
    """

    size: float
    turns: float
    cochlear_height_mm: float
    canal_radius_mm: float
    lateral_canal_radius_mm: float
    head_rotation: npt.NDArray[np.float64]
    head_offset_mm: npt.NDArray[np.float64]
    deformation: Waves
    mineral: Waves
    capsule_mm: float
    middle_ear_scale: npt.NDArray[np.float64]
    middle_ear_offset_mm: npt.NDArray[np.float64]
    nerve_offset_mm: npt.NDArray[np.float64]
    vessel_offset_mm: npt.NDArray[np.float64]
    auditory_canal_width: float
    tegmen_mm: float
    posterior_fossa_mm: float
    thin_wall_mm: float
    wall: Waves
    diploe: Waves
    marrow_spacing_mm: float
    marrow_radius: float
    marrow_seed: int
    vessel_seed: int
    pneumatisation: float
    filled_cells: float
    mucosa_mm: float
    septum_mm: float
    cell_spacing_mm: float
    cell_seed: int
    pose_rotation: npt.NDArray[np.float64]
    pose_offset_mm: npt.NDArray[np.float64]
    ct_centre_mm: npt.NDArray[np.float64]


def generator(seed: int, specimen: str, purpose: str) -> np.random.Generator:
    """Return the random generator of one purpose for one specimen."""
    digest = hashlib.sha256(f"phantom\0{seed}\0{specimen}\0{purpose}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def _random_direction(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    direction = rng.standard_normal(3)
    return direction / np.sqrt((direction**2).sum())


def _rotation(axis: npt.NDArray[np.float64], angle_rad: float) -> npt.NDArray[np.float64]:
    """Rotation matrix (3, 3) about a unit axis."""
    versor = sitk.VersorTransform([float(k) for k in axis], float(angle_rad))
    return np.array(versor.GetMatrix()).reshape(3, 3)


def draw_variation(specimen: str, seed: int, settings: PhantomSettings) -> Variation:
    """Draw all that makes this specimen's ear, and how it lies in the CT, from the seed."""
    pose = generator(seed, specimen, "pose")
    angle_rad = np.deg2rad(settings.max_rotation_deg) * pose.uniform(0.3, 1.0)
    distance_mm = settings.max_translation_mm * pose.uniform(0.3, 1.0)
    rng = generator(seed, specimen, "anatomy")
    return Variation(
        size=rng.uniform(0.93, 1.07),
        turns=rng.uniform(2.4, 2.75),
        cochlear_height_mm=rng.uniform(3.0, 3.4),
        canal_radius_mm=rng.uniform(2.7, 3.7),
        lateral_canal_radius_mm=rng.uniform(1.9, 2.7),
        head_rotation=_rotation(_random_direction(rng), np.deg2rad(rng.uniform(0.0, 10.0))),
        head_offset_mm=rng.uniform(-0.6, 0.6, size=3),
        deformation=draw_waves(rng, 8, (8.0, 16.0), 3, settings.deformation_mm),
        mineral=draw_waves(rng, 24, (2.0, 8.0), 1, 0.22),
        capsule_mm=rng.uniform(0.5, 0.9),
        middle_ear_scale=rng.uniform(0.85, 1.15, size=3),
        middle_ear_offset_mm=rng.uniform(-0.5, 0.5, size=3),
        nerve_offset_mm=rng.uniform(-0.7, 0.7, size=3),
        vessel_offset_mm=rng.uniform(-2.0, 2.0, size=3),
        auditory_canal_width=rng.uniform(0.6, 1.0),
        tegmen_mm=rng.uniform(8.8, 10.8),
        posterior_fossa_mm=rng.uniform(10.3, 12.3),
        thin_wall_mm=rng.uniform(0.15, 0.4),
        wall=draw_waves(rng, 12, (3.0, 8.0), 1, 0.6),
        diploe=draw_waves(rng, 8, (5.0, 14.0), 1, 0.12),
        marrow_spacing_mm=rng.uniform(0.8, 1.0),
        marrow_radius=rng.uniform(0.34, 0.39),
        marrow_seed=int(rng.integers(2**32)),
        vessel_seed=int(rng.integers(2**32)),
        pneumatisation=rng.uniform(0.1, 0.75),
        filled_cells=rng.uniform(0.0, 0.2),
        mucosa_mm=rng.uniform(0.05, 0.15),
        septum_mm=rng.uniform(0.10, 0.20),
        cell_spacing_mm=rng.uniform(1.1, 1.7),
        cell_seed=int(rng.integers(2**32)),
        pose_rotation=_rotation(_random_direction(pose), angle_rad),
        pose_offset_mm=distance_mm * _random_direction(pose),
        ct_centre_mm=pose.uniform(-60.0, 60.0, size=3),
    )
