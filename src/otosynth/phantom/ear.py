"""Puts one virtual ear together: anatomy, both scans, and what is known exactly about them."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from otosynth.configuration.phantom import PhantomSettings
from otosynth.errors import InputError
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.lattice import FOUR, Lattice, scan_lattice
from otosynth.phantom.scanners import ct_scan, microct_scan
from otosynth.phantom.structures import CLASS_OF_STRUCTURE
from otosynth.phantom.variation import Variation, draw_variation, generator
from otosynth.specimens import SIDES


@dataclass(frozen=True)
class PhantomEar:
    """One virtual ear; all points mm, LPS, in the micro-CT frame unless said otherwise.

    microct : float32, linear attenuation in 1/mm (water 0.022, air 0).
    ct : int16, HU, in a scanner frame of its own.
    labels : uint8 on the micro-CT grid, exact classes 0 air, 1 soft (fluid included), 2 bone.
    structures : uint8 on the micro-CT grid, values of ``STRUCTURES``.
    pose : maps a micro-CT (fixed) point to the CT (moving) point, exactly.
    centreline : (n, 3) axis of the cochlear duct from round window to apex.
    box_corners : (8, 3) corners of the cochlea's bounding box.
    """

    specimen: str
    side: str
    microct: sitk.Image
    ct: sitk.Image
    labels: sitk.Image
    structures: sitk.Image
    pose: sitk.Euler3DTransform
    centreline: npt.NDArray[np.float64]
    box_corners: npt.NDArray[np.float64]


def _image(array: npt.NDArray, spacing_mm: float, centre_mm: npt.NDArray) -> sitk.Image:
    """Image of an array z, y, x on a cubic grid with its middle at a point, mm."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([spacing_mm] * 3)
    half = spacing_mm * (np.array(array.shape[::-1]) - 1) / 2.0
    image.SetOrigin([float(k) for k in centre_mm - half])
    return image


def _pose(variation: Variation) -> sitk.Euler3DTransform:
    """Micro-CT point to CT point."""
    pose = sitk.Euler3DTransform()
    pose.SetMatrix([float(k) for k in variation.pose_rotation.ravel()])
    translation = variation.ct_centre_mm + variation.pose_offset_mm
    pose.SetTranslation([float(k) for k in translation])
    return pose


def _matrix(pose: sitk.Euler3DTransform) -> npt.NDArray[np.float64]:
    return np.array(pose.GetMatrix()).reshape(3, 3)


def _scan_microct(
    anatomy: Anatomy, settings: PhantomSettings, rng: np.random.Generator
) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """Micro-CT, class labels and structures, on one grid with its middle at the origin."""
    count = round(settings.size_mm / settings.spacing_mm)
    middle = np.zeros(3)
    lattice = Lattice((count,) * 3, settings.spacing_mm * np.eye(3), middle)
    # The tetrahedron is not its own mirror image, but a left ear is the right one's.
    samples = [(z, y, anatomy.mirror * x) for z, y, x in FOUR]
    array, attenuation = scan_lattice(anatomy, lattice, samples=samples)
    structures = _image(array, settings.spacing_mm, middle)
    labels = _image(CLASS_OF_STRUCTURE[array], settings.spacing_mm, middle)
    # A whole ear at the thesis's spacing has 500 million voxels: hold no array twice.
    del array
    microct = _image(microct_scan(attenuation, settings, rng), settings.spacing_mm, middle)
    return microct, labels, structures


def make_ear(specimen: str, side: str, settings: PhantomSettings, seed: int) -> PhantomEar:
    """Make the phantom ear of a specimen from a seed (method.md section 9).

    Parameters
    ----------
    specimen
        Name of the ear; with the seed it decides all of the ear's variation.
    side
        ``left`` or ``right``; a left ear is the mirror image of the right one.
    settings
        Scale and scanners.
    seed
        Seed of the study.

    Raises
    ------
    InputError
        If the side is neither ``left`` nor ``right``.
    """
    if side not in SIDES:
        raise InputError(
            f"Phantom specimen {specimen!r} has side {side!r}: write 'left' or 'right'."
        )
    variation = draw_variation(specimen, seed, settings)
    anatomy = Anatomy(variation, side)
    pose = _pose(variation)
    ct = ct_scan(
        anatomy,
        settings,
        _matrix(pose),
        variation.pose_offset_mm,
        generator(seed, specimen, "ct noise"),
    )
    microct, labels, structures = _scan_microct(
        anatomy, settings, generator(seed, specimen, "microct noise")
    )
    wall = anatomy.from_ear(anatomy.cochlea.wall_points())
    box = np.stack([wall.min(axis=0), wall.max(axis=0)])
    return PhantomEar(
        specimen=specimen,
        side=side,
        microct=microct,
        ct=_image(ct, settings.ct_spacing_mm, variation.ct_centre_mm),
        labels=labels,
        structures=structures,
        pose=pose,
        centreline=anatomy.from_ear(anatomy.cochlea.centreline()),
        box_corners=np.array(
            [[box[k][i] for i, k in enumerate(c)] for c in product((0, 1), repeat=3)]
        ),
    )
