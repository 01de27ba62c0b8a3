"""The CT to be expected from a micro-CT in a given pose.

Mutual information copes with any relation of grey values, but a blurred edge between two tissues
sits elsewhere in two scans whose grey values are not linearly related, and that shifts the optimum
by some hundredths of a millimetre. So, once the pose is roughly known, the relation is measured:
micro-CT values are mapped to HU by a piecewise linear curve, then blurred by the CT's point
spread; curve and point spread are those that explain the CT best (least squares). Mutual
information is then maximised between the expected and the real CT.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from otosynth.registration.geometry import voxel_size_mm
from otosynth.registration.preparation import shrink_towards, smooth

# Knots of the curve, as quantiles of the micro-CT. Bone is rare, so its end is denser.
KNOT_QUANTILES = (0.001, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995, 0.9995)

# Point spreads tried, in CT voxels. Clinical CTs are sampled at 0.5 to 1 times their resolution.
RESOLUTIONS_IN_VOXELS = (1.0, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True)
class Appearance:
    """How a micro-CT looks in its CT."""

    grey_values: np.ndarray  # (k,) knots, in the micro-CT's unit
    hu: np.ndarray  # (k,) HU at the knots
    resolution_mm: float  # full width at half maximum of the CT's point spread
    residual_hu: float  # standard deviation of CT minus expected CT


def tissue_maps(microct: sitk.Image, ct_voxel_mm: float) -> tuple[np.ndarray, list[sitk.Image]]:
    """Knots (k,) and k images of the weight of each knot in each voxel, sharp.

    The images are averaged to at most a third of the CT's voxel, which its point spread hides.
    """
    values = sitk.GetArrayViewFromImage(microct)
    knots = np.unique(np.quantile(values, KNOT_QUANTILES))
    maps = []
    for one_hot in np.eye(len(knots)):
        weight = sitk.GetImageFromArray(np.interp(values, knots, one_hot).astype(np.float32))
        weight.CopyInformation(microct)
        maps.append(shrink_towards(weight, ct_voxel_mm / 3))
    return knots, maps


def fit_appearance(
    knots: np.ndarray,
    maps: list[sitk.Image],
    ct: sitk.Image,
    pose: sitk.Transform,
    resolution_mm: float | None,
) -> tuple[Appearance, sitk.Image]:
    """Fit curve and point spread to a CT.

    Parameters
    ----------
    knots, maps : from `tissue_maps`
    ct : CT in HU
    pose : takes a CT point to a micro-CT point, in mm
    resolution_mm : known point spread (full width at half maximum), or None to estimate it

    Returns
    -------
    Appearance
    sitk.Image
        The expected CT in HU, on the grid of ``maps``.
    """
    if resolution_mm is None:
        # Every second voxel decides as well among a few point spreads, in an eighth of the time.
        tried = [voxels * voxel_size_mm(ct) for voxels in RESOLUTIONS_IN_VOXELS]
        fits = [_fit_curve(knots, maps, ct[::2, ::2, ::2], pose, fwhm_mm) for fwhm_mm in tried]
        resolution_mm = min(fits, key=lambda fit: fit.residual_hu).resolution_mm
    best = _fit_curve(knots, maps, ct, pose, resolution_mm)
    sharp = sum(float(hu) * weight for hu, weight in zip(best.hu, maps, strict=True))
    return best, smooth(sharp, best.resolution_mm)


def _fit_curve(
    knots: np.ndarray, maps: list[sitk.Image], ct: sitk.Image, pose: sitk.Transform, fwhm_mm: float
) -> Appearance:
    seen = [
        sitk.GetArrayFromImage(
            sitk.Resample(smooth(weight, fwhm_mm), ct, pose, sitk.sitkLinear, 0.0)
        )
        for weight in maps
    ]
    # The weights of a voxel add up to one; less means that it lies outside the micro-CT.
    inside = sum(seen) > 0.99
    design = np.stack([image[inside] for image in seen], axis=1).astype(np.float64)
    measured = sitk.GetArrayFromImage(ct)[inside].astype(np.float64)
    # The normal equations by einsum: a threaded BLAS would sum in an order set by its threads.
    gram = np.einsum("ni,nj->ij", design, design)
    hu = np.linalg.lstsq(gram, np.einsum("ni,n->i", design, measured), rcond=1e-10)[0]
    residual = measured - np.einsum("ni,i->n", design, hu)
    return Appearance(knots, hu, fwhm_mm, float(np.std(residual)))
