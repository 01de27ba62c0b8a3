"""The two scanners of the phantom: both look at the same anatomy, each on its own grid.

Attenuation is relative to water: air 0, soft tissue about 1, petrous bone 2.5. Water is
0.022 1/mm in the micro-CT and 0 HU in the CT.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.lattice import TWO, Lattice, scan_lattice

WATER_PER_MM = 0.022
"""Linear attenuation of water in the micro-CT, 1/mm."""

_PSF_VOXELS = 0.5
_FINE = 2
# How much darker the middle of a slice is than its corners, and the drift from the middle of the
# field of view to its faces.
_CUPPING_HU = (10.0, 40.0)
_DRIFT_HU = 20.0
_FWHM_OF_SIGMA = float(np.sqrt(8.0 * np.log(2.0)))


def _add_rings(image: npt.NDArray[np.float32], rng: np.random.Generator, sigma: float) -> None:
    """Add rings round the axis of rotation, along z near the middle, slowly changing along it."""
    count, height, width = image.shape
    centre = (np.array([height, width]) - 1) / 2.0 + rng.uniform(-3.0, 3.0, size=2)
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    radius = np.sqrt((y - centre[0]) ** 2 + (x - centre[1]) ** 2).astype(np.int64)
    profile = rng.standard_normal((count, int(radius.max()) + 1), dtype=np.float32)
    profile = ndimage.gaussian_filter1d(profile, 4.0, axis=0)
    profile *= sigma / max(float(profile.std()), 1e-12)
    for z in range(count):
        image[z] += profile[z][radius]


def microct_scan(
    attenuation: npt.NDArray[np.float32], settings: PhantomSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Micro-CT (1/mm) of a relative attenuation, which is overwritten: blur, noise, rings."""
    image = attenuation
    ndimage.gaussian_filter(image, _PSF_VOXELS, output=image, mode="nearest")
    image *= np.float32(WATER_PER_MM)
    for plane in image:
        noise = rng.standard_normal(plane.shape, dtype=np.float32)
        plane += np.float32(settings.microct_noise_per_mm) * noise
    _add_rings(image, rng, settings.microct_ring_per_mm)
    return image


def _kernel_noise(
    shape: tuple[int, int, int], sigma_hu: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Noise (HU) with the band-passed spectrum that a sharp reconstruction kernel leaves."""
    white = rng.standard_normal(shape, dtype=np.float32)
    fine = ndimage.gaussian_filter(white, (0.4, 0.6, 0.6), mode="wrap")
    coarse = ndimage.gaussian_filter(white, (0.4, 2.0, 2.0), mode="wrap")
    noise = fine - coarse
    return noise * np.float32(sigma_hu / float(noise.std()))


def shading(shape: tuple[int, int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Cupping and scatter (HU) of an array z, y, x: darker amid each slice, and a drift."""
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij", sparse=True)
    # From the middle of a slice to its corners; 1/3 is the mean of the parabola over the slice.
    cupping = rng.uniform(*_CUPPING_HU) * ((y**2 + x**2) / 2.0 - 1.0 / 3.0)
    slopes = rng.uniform(-_DRIFT_HU, _DRIFT_HU, 3)
    drift = sum(slope * axis for slope, axis in zip(slopes, (z, y, x), strict=True))
    return (cupping + drift).astype(np.float32)


def ct_scan(
    anatomy: Anatomy,
    settings: PhantomSettings,
    rotation: npt.NDArray[np.float64],
    offset_mm: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """CT (HU), array z, y, x, of the ear in a pose.

    A micro-CT point p lies at ``rotation @ p + offset_mm`` from the middle of the CT. The ear is
    evaluated at half the CT's spacing, blurred to its point spread, and every CT voxel is the
    mean of its eight parts.
    """
    count = round(settings.ct_size_mm / settings.ct_spacing_mm)
    fine_mm = settings.ct_spacing_mm / _FINE
    centre = -(rotation.T * offset_mm).sum(axis=1)
    lattice = Lattice((count * _FINE,) * 3, fine_mm * rotation.T, centre)
    _, attenuation = scan_lattice(anatomy, lattice, samples=TWO)
    widths_mm = np.array([settings.ct_slice_fwhm_mm, settings.ct_fwhm_mm, settings.ct_fwhm_mm])
    sigma = widths_mm / _FWHM_OF_SIGMA / fine_mm
    ndimage.gaussian_filter(attenuation, sigma, output=attenuation, mode="nearest")
    coarse = attenuation.reshape(count, _FINE, count, _FINE, count, _FINE).mean(axis=(1, 3, 5))
    hounsfield = 1000.0 * (coarse - 1.0) + _kernel_noise(coarse.shape, settings.ct_noise_hu, rng)
    hounsfield += shading(coarse.shape, rng)
    return np.rint(hounsfield).clip(-1024, 3071).astype(np.int16)
