"""The CT to be expected from a micro-CT in a given pose.

Mutual information copes with any relation of grey values, but a blurred edge between two tissues
sits elsewhere in two scans whose grey values are not linearly related, and that shifts the optimum
by some hundredths of a millimetre. So, once the pose is roughly known, the relation is measured:
micro-CT values are mapped to HU by a piecewise linear curve, then blurred by the CT's point
spread; curve and point spread are those that explain the CT best (least squares). Mutual
information is then maximised between the expected and the real CT.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from otosynth.registration.geometry import voxel_size_mm
from otosynth.registration.preparation import FWHM_PER_SIGMA, filled, shrink_volume, smooth
from otosynth.volumes.grids import image_like
from otosynth.volumes.volume import Volume

# Knots of the curve, as quantiles of the micro-CT. Bone is rare, so its end is denser.
KNOT_QUANTILES = (0.001, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 0.9995)

# To how large a part of the CT's voxel the micro-CT may be averaged where only the CT's point
# spread is to be seen (the blur that this adds is allowed for, `_kernel_mm`), and elsewhere.
AVERAGED_IN_VOXELS = 0.8
FINE_IN_VOXELS = 0.4

# Point spreads tried, in CT voxels. Clinical CTs are sampled at 0.5 to 1 times their resolution.
RESOLUTIONS_IN_VOXELS = (1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Appearance:
    """How a micro-CT looks in its CT."""

    grey_values: np.ndarray  # (k,) knots, in the micro-CT's unit
    hu: np.ndarray  # (k,) HU at the knots
    resolution_mm: float  # full width at half maximum of the CT's point spread
    residual_hu: float  # standard deviation of CT minus expected CT


@dataclass(frozen=True)
class TissueMaps:
    """A micro-CT as the weights of the knots of a curve in each voxel, which add up to one.

    knots : (k,) micro-CT values, quantiles of ``fine``
    maps : k images of weights, sharp, averaged to at most ``AVERAGED_IN_VOXELS``
    fine : the micro-CT averaged to at most ``FINE_IN_VOXELS``, which the point spread hides
    measured : what of ``fine`` was measured (non-zero); None: all of it
    microct_mm : voxel size of the micro-CT
    """

    knots: np.ndarray
    maps: list[sitk.Image]
    fine: sitk.Image
    measured: sitk.Image | None
    microct_mm: float


def tissue_maps(microct: Volume, ct_voxel_mm: float) -> TissueMaps:
    """Return the maps of a micro-CT; no knot has a weight where its slabs have NaN."""
    [fine] = shrink_volume(microct, FINE_IN_VOXELS * ct_voxel_mm)
    values = sitk.GetArrayViewFromImage(fine)
    knots = np.unique(np.quantile(values[np.isfinite(values)], KNOT_QUANTILES))
    fine, measured = filled(fine)

    def weights(slab: np.ndarray) -> Iterator[np.ndarray]:
        # Each voxel's place among the knots; the weight of a knot falls to zero at its neighbours.
        place = np.interp(slab, knots, np.arange(len(knots))).astype(np.float32)
        for knot in range(len(knots)):
            weight = np.abs(place - np.float32(knot))
            np.subtract(1, weight, out=weight)
            yield np.maximum(weight, 0, out=weight)

    maps = shrink_volume(microct, AVERAGED_IN_VOXELS * ct_voxel_mm, weights)
    if measured is not None:
        maps = [image_like(np.nan_to_num(sitk.GetArrayFromImage(one)), one) for one in maps]
    return TissueMaps(knots, maps, fine, measured, microct.grid.voxel_mm)


def fit_appearance(
    tissue: TissueMaps, ct: sitk.Image, pose: sitk.Transform, resolution_mm: float | None
) -> tuple[Appearance, sitk.Image]:
    """Fit curve and point spread to a CT.

    Parameters
    ----------
    tissue : from `tissue_maps`
    ct : CT in HU; NaN where it was not measured
    pose : takes a CT point to a micro-CT point, in mm
    resolution_mm : known point spread (full width at half maximum), or None to estimate it

    Returns
    -------
    Appearance
    sitk.Image
        The expected CT in HU, on the grid of ``tissue.fine``.
    """
    if resolution_mm is None:
        resolution_mm = _resolution_mm(tissue, ct, pose)
    blurred = (_blurred(image, resolution_mm, tissue.microct_mm) for image in tissue.maps)
    hu, residual_hu = _fit_curve(blurred, ct, pose)
    values = np.interp(sitk.GetArrayViewFromImage(tissue.fine), tissue.knots, hu)
    sharp = sitk.GetImageFromArray(values.astype(np.float32))
    sharp.CopyInformation(tissue.fine)
    expected = _blurred(sharp, resolution_mm, tissue.microct_mm)
    return Appearance(tissue.knots, hu, resolution_mm, residual_hu), expected


def _blurred(sharp: sitk.Image, fwhm_mm: float, microct_mm: float) -> sitk.Image:
    return smooth(sharp, _kernel_mm(fwhm_mm, sharp, microct_mm))


def _resolution_mm(tissue: TissueMaps, ct: sitk.Image, pose: sitk.Transform) -> float:
    """Point spread by which the micro-CT in HU explains the CT best, mm."""
    voxel_mm = voxel_size_mm(ct)
    # Every second voxel decides as well among a few point spreads.
    fewer = ct[::2, ::2, ::2]
    # A straight line of the curve's HU is allowed for, so a curve without any blur is near enough.
    curve_hu, _ = _fit_curve(tissue.maps, fewer, pose)
    sharp = sum(image * float(hu) for image, hu in zip(tissue.maps, curve_hu, strict=True))
    tried = [voxels * voxel_mm for voxels in RESOLUTIONS_IN_VOXELS]
    blurred = (_blurred(sharp, fwhm_mm, tissue.microct_mm) for fwhm_mm in tried)
    return _least(tried, [_unexplained(fewer, image, pose) for image in blurred])


def _unexplained(ct: sitk.Image, expected: sitk.Image, pose: sitk.Transform) -> float:
    """Variance of a CT that no straight line of the expected CT explains, HU^2."""
    seen = sitk.GetArrayFromImage(sitk.Resample(expected, ct, pose, sitk.sitkLinear, np.nan))
    measured = sitk.GetArrayViewFromImage(ct)
    inside = np.isfinite(seen) & np.isfinite(measured)
    values = np.stack([seen[inside], measured[inside]]).astype(np.float64)
    # By einsum, as in `_fit_curve`.
    values -= values.mean(axis=1, keepdims=True)
    (of_seen, of_both), (_, of_ct) = np.einsum("in,jn->ij", values, values) / values.shape[1]
    return float(of_ct - of_both**2 / of_seen)


def _fit_curve(
    maps: Iterable[sitk.Image], ct: sitk.Image, pose: sitk.Transform
) -> tuple[np.ndarray, float]:
    """HU at the knots (k,) by which maps of their weights explain a CT best, and what is left."""
    seen = [
        sitk.GetArrayFromImage(sitk.Resample(weight, ct, pose, sitk.sitkLinear, 0.0))
        for weight in maps
    ]
    # The weights of a voxel add up to one; less means that it lies outside the micro-CT.
    values = sitk.GetArrayViewFromImage(ct)
    inside = (sum(seen) > 0.99) & np.isfinite(values)
    design = np.stack([image[inside] for image in seen], axis=1).astype(np.float64)
    measured = values[inside].astype(np.float64)
    # The normal equations by einsum: a threaded BLAS would sum in an order set by its threads.
    gram = np.einsum("ni,nj->ij", design, design)
    hu = np.linalg.lstsq(gram, np.einsum("ni,n->i", design, measured), rcond=1e-10)[0]
    residual = measured - np.einsum("ni,i->n", design, hu)
    return hu, float(np.std(residual))


def _least(places: list[float], values: list[float]) -> float:
    """Where values are least: at a parabola's vertex, through the least one and its neighbours.

    ``places`` rise evenly; the least value at an end is taken as it is.
    """
    best = int(np.argmin(values))
    if best in (0, len(values) - 1):
        return places[best]
    before, least, after = values[best - 1 : best + 2]
    curvature = before - 2 * least + after
    shift = (before - after) / (2 * curvature) if curvature > 0 else 0.0
    return places[best] + shift * (places[best] - places[best - 1])


def _kernel_mm(fwhm_mm: float, image: sitk.Image, microct_mm: float) -> float:
    """Width of the Gaussian that brings an averaged micro-CT to a point spread, mm.

    Averaging to voxels of edge h has blurred it with a variance of h^2 / 12 less that of its own
    voxels, and linear interpolation will with h^2 / 6 on average.
    """
    edge = voxel_size_mm(image)
    blurred = (edge**2 - microct_mm**2) / 12 + edge**2 / 6
    variance = fwhm_mm**2 - FWHM_PER_SIGMA**2 * blurred
    # A point spread of less than two voxels leaves no room for the correction.
    return float(np.sqrt(max(variance, (fwhm_mm / 2) ** 2)))
