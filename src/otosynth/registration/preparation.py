"""Bringing scans to a resolution and a range of values before they are matched."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import SimpleITK as sitk

from otosynth.volumes.grids import image_like
from otosynth.volumes.measured import continued
from otosynth.volumes.volume import Volume

FWHM_PER_SIGMA = float(2 * np.sqrt(2 * np.log(2)))

# Values beyond these quantiles (metal, streaks, single noisy voxels) would stretch the histogram.
CLIPPED_QUANTILES = (0.002, 0.998)


def smooth(image: sitk.Image, fwhm_mm: float) -> sitk.Image:
    """Gaussian smoothing with a full width at half maximum in mm; float32."""
    return sitk.SmoothingRecursiveGaussian(
        sitk.Cast(image, sitk.sitkFloat32), fwhm_mm / FWHM_PER_SIGMA
    )


def clip_to_quantiles(image: sitk.Image) -> sitk.Image:
    """Clip values to the range between two quantiles of the image; float32."""
    low, high = np.quantile(sitk.GetArrayViewFromImage(image), CLIPPED_QUANTILES)
    return sitk.Clamp(image, sitk.sitkFloat32, float(low), float(high))


def filled(image: sitk.Image) -> tuple[sitk.Image, sitk.Image | None]:
    """Return an image without NaN, and the mask (uint8) of what was no NaN; None: all of it.

    In place of NaN the nearest value of its slice goes on.
    """
    values = sitk.GetArrayViewFromImage(image)
    nowhere = np.isnan(values)
    if not nowhere.any():
        return image, None
    return image_like(continued(values, nowhere), image), image_like(~nowhere, image)


def marked(image: sitk.Image, measured: sitk.Image | None) -> sitk.Image:
    """Return an image with NaN where it was not measured; itself where all of it was."""
    return image if measured is None else sitk.Mask(image, measured, float("nan"))


def resample_to_spacing(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Resample to cubic voxels over the same field of view, by linear interpolation."""
    size = np.array(image.GetSize())
    extent_mm = size * np.array(image.GetSpacing())
    new_size = np.maximum(np.floor(extent_mm / spacing_mm + 1e-6).astype(int), 1)
    # The new grid is centred in the old one.
    first = (size - 1) / 2 - (new_size - 1) / 2 * spacing_mm / np.array(image.GetSpacing())
    return sitk.Resample(
        image,
        new_size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear,
        image.TransformContinuousIndexToPhysicalPoint(first.tolist()),
        [spacing_mm] * 3,
        image.GetDirection(),
        0.0,
        sitk.sitkFloat32,
    )


def shrink_towards(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Average whole blocks of voxels, as large as keep the spacing at or below ``spacing_mm``."""
    return _average(image, _factors(image.GetSpacing(), spacing_mm))


def shrink_volume(
    volume: Volume,
    spacing_mm: float,
    parts: Callable[[np.ndarray], Iterable[np.ndarray]] = lambda slab: [slab],
) -> list[sitk.Image]:
    """Average as `shrink_towards`, slab by slab: one image for each of the ``parts`` of a slab.

    ``parts`` makes arrays of a slab's shape from its voxels.
    """
    factors = _factors(volume.grid.spacing_mm, spacing_mm)
    shrunk = []
    for rows, slab in volume.slabs(multiple=factors[2]):
        images = (volume.grid.slab(rows).image(part) for part in parts(slab))
        shrunk.append([sitk.GetArrayFromImage(_average(image, factors)) for image in images])
    grid = volume.grid.shrunk(factors)
    return [grid.image(np.concatenate(slabs)) for slabs in zip(*shrunk, strict=True)]


def _factors(spacings_mm: Sequence[float], spacing_mm: float) -> list[int]:
    return [max(int(spacing_mm / spacing + 1e-6), 1) for spacing in spacings_mm]


def _average(image: sitk.Image, factors: Sequence[int]) -> sitk.Image:
    return sitk.BinShrink(sitk.Cast(image, sitk.sitkFloat32), factors)


def thinned(image: sitk.Image, most_voxels: int) -> sitk.Image:
    """Every voxel of an image, or every second, third ... along x, y or z, to be few enough."""
    steps = np.array([1, 1, 1])
    while np.prod(np.ceil(image.GetSize() / steps)) > most_voxels:
        steps[np.argmin(steps)] += 1
    x, y, z = steps.tolist()
    return image[::x, ::y, ::z]


def crop_border(image: sitk.Image, width_mm: float) -> sitk.Image:
    """Take a border off every side of an image."""
    voxels = [int(np.ceil(width_mm / spacing)) for spacing in image.GetSpacing()]
    return sitk.Crop(image, voxels, voxels)


def eroded(mask: sitk.Image, width_mm: float) -> sitk.Image:
    """Take a border off what a mask (uint8) holds, but not where it is cut by its box."""
    voxels = [int(np.ceil(width_mm / spacing)) for spacing in mask.GetSpacing()]
    return sitk.BinaryErode(mask, voxels, sitk.sitkBox, 0.0, 1.0, True)


def crop_around(
    image: sitk.Image, other: sitk.Image, transform: sitk.Transform, margin_mm: float
) -> sitk.Image:
    """Part of an image round the field of view of another, which ``transform`` takes to it."""
    size = np.array(other.GetSize())
    corners = [
        other.TransformIndexToPhysicalPoint([int(index) for index in np.array(corner) * (size - 1)])
        for corner in np.ndindex(2, 2, 2)
    ]
    indices = np.array(
        [
            image.TransformPhysicalPointToContinuousIndex(transform.TransformPoint(corner))
            for corner in corners
        ]
    )
    margin = margin_mm / np.array(image.GetSpacing())
    last = np.array(image.GetSize()) - 1
    low = np.clip(np.floor(indices.min(axis=0) - margin), 0, last).astype(int)
    high = np.clip(np.ceil(indices.max(axis=0) + margin), 0, last).astype(int)
    return sitk.RegionOfInterest(image, (high - low + 1).tolist(), low.tolist())
