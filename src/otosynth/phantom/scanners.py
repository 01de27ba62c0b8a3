"""The two scanners of the phantom: both look at the same anatomy, each on its own grid.

Attenuation is relative to water: air 0, soft tissue about 1, petrous bone 2.5. Water is
0.022 1/mm in the micro-CT and 0 HU in the CT.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Structure
from otosynth.tissues import AIR, BONE

WATER_PER_MM = 0.022
"""Linear attenuation of water in the micro-CT, 1/mm."""

_BONE_ABOVE_WATER = 1.5
_PSF_VOXELS = 0.5
_FINE = 2
_BRICK = 24
Shift = tuple[float, float, float]
MIDDLES: Sequence[Shift] = ((0.0, 0.0, 0.0),)
# Corners of a tetrahedron within the voxel, and two points of its diagonal.
FOUR: Sequence[Shift] = (
    (-0.25, -0.25, -0.25),
    (-0.25, 0.25, 0.25),
    (0.25, -0.25, 0.25),
    (0.25, 0.25, -0.25),
)
TWO: Sequence[Shift] = ((-0.25, -0.25, -0.25), (0.25, 0.25, 0.25))
# A tie between classes goes to soft tissue, then air, then bone (method.md section 8).
_PRIORITY = np.array([1, 2, 0], dtype=np.int16)
_FWHM_OF_SIGMA = float(np.sqrt(8.0 * np.log(2.0)))
_WATERY = [
    Structure.SCALA_TYMPANI,
    Structure.SCALA_VESTIBULI,
    Structure.VESTIBULE,
    Structure.LATERAL_CANAL,
    Structure.SUPERIOR_CANAL,
    Structure.POSTERIOR_CANAL,
]


@dataclass(frozen=True)
class Lattice:
    """A grid of voxels placed in the micro-CT frame.

    ``shape`` is z, y, x; ``steps_mm`` (3, 3) holds in its columns the step of one voxel along
    the grid's x, y and z; ``centre_mm`` (3,) is the middle of the grid.
    """

    shape: tuple[int, int, int]
    steps_mm: npt.NDArray[np.float64]
    centre_mm: npt.NDArray[np.float64]

    def points(
        self, brick: tuple[slice, slice, slice], shift: tuple[float, float, float] = (0, 0, 0)
    ) -> npt.NDArray[np.float32]:
        """Positions (3, n), mm, of the voxels of a brick (slices z, y, x).

        ``shift`` (z, y, x) is where in the voxels, in voxels from their middles.
        """
        offsets = [
            np.arange(part.start, part.stop) - (size - 1) / 2.0 + within
            for part, size, within in zip(brick, self.shape, shift, strict=True)
        ]
        z, y, x = np.meshgrid(*offsets, indexing="ij", sparse=True)
        rows = [
            (row[0] * x + row[1] * y + row[2] * z + shift).ravel()
            for row, shift in zip(self.steps_mm, self.centre_mm, strict=True)
        ]
        return np.stack(rows).astype(np.float32)


def _bricks(shape: tuple[int, int, int], edge: int) -> Iterator[tuple[slice, slice, slice]]:
    ranges = [[slice(i, min(i + edge, n)) for i in range(0, n, edge)] for n in shape]
    yield from product(*ranges)


def relative_attenuation(
    structures: npt.NDArray[np.uint8], density: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Attenuation relative to water, given structures and the bone's relative density."""
    of_structure = np.array(
        [0.0 if CLASS_OF_STRUCTURE[s] == AIR else 1.05 for s in Structure], dtype=np.float32
    )
    of_structure[_WATERY] = 1.01
    bone = CLASS_OF_STRUCTURE[structures] == BONE
    return np.where(bone, 1.0 + _BONE_ABOVE_WATER * density, of_structure[structures])


def scan_lattice(
    anatomy: Anatomy,
    lattice: Lattice,
    brick: int = _BRICK,
    samples: Sequence[Shift] = MIDDLES,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Structures and relative attenuation on a lattice, arrays z, y, x.

    Built brick by brick, so that memory beyond the two results stays small; the size of the
    bricks changes nothing in the result.

    Parameters
    ----------
    samples
        Where a voxel is looked at. Its attenuation is their mean, so that a wall thinner than a
        voxel counts by its share; its structure is the commonest of its commonest class (ties:
        soft tissue, air, bone).
    """
    structures = np.empty(lattice.shape, dtype=np.uint8)
    attenuation = np.empty(lattice.shape, dtype=np.float32)
    for part in _bricks(lattice.shape, brick):
        seen, total = [], np.float32(0.0)
        for shift in samples:
            labels, density = anatomy.structures_at(lattice.points(part, shift))
            seen.append(labels)
            total = total + relative_attenuation(labels, density)
        shape = structures[part].shape
        structures[part] = _commonest(np.stack(seen)).reshape(shape)
        attenuation[part] = (total / np.float32(len(samples))).reshape(shape)
    return structures, attenuation


def _commonest(seen: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return for each voxel the commonest structure of its commonest class, of (sample, voxel)."""
    if len(seen) == 1:
        return seen[0]
    classes = CLASS_OF_STRUCTURE[seen]
    best, chosen = np.full(seen.shape[1], -1, dtype=np.int16), seen[0].copy()
    for own, own_class in zip(seen, classes, strict=True):
        same_class = (classes == own_class).sum(axis=0, dtype=np.int16)
        same_structure = (seen == own).sum(axis=0, dtype=np.int16)
        score = 100 * same_class + 10 * _PRIORITY[own_class] + same_structure
        better = score > best
        best[better], chosen[better] = score[better], own[better]
    return chosen


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


def _shading(shape: tuple[int, int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Cupping and scatter (HU): darker in the middle of the slices, and a drift along each axis."""
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij", sparse=True)
    cupping = rng.uniform(10.0, 40.0) * ((y**2 + x**2) / 2.0 - 1.0 / 3.0)
    drift = sum(slope * axis for slope, axis in zip(rng.uniform(-20.0, 20.0, 3), (z, y, x)))
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
    hounsfield += _shading(coarse.shape, rng)
    return np.rint(hounsfield).clip(-1024, 3071).astype(np.int16)
