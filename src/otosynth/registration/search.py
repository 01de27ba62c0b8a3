"""Automatic search for the pose of one scan in another: all rotations, all translations.

Every rotation of a grid is tried; for each, the normalised cross-correlation over the common
field of view is computed for all translations at once (Padfield 2012, Masked object registration
in the Fourier domain, IEEE Trans. Image Process. 21(5), eq. 36).
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import fft
from scipy.spatial.transform import Rotation

from otosynth.registration.geometry import centre_of, rigid_transform
from otosynth.registration.preparation import clip_to_quantiles, smooth

# What the configuration calls the reach of the search.
LARGEST_ROTATION_DEGREES = {"45 degrees": 45.0, "full sphere": 180.0}


@dataclass(frozen=True)
class Candidate:
    """A pose (point of the small scan to point of the large one) and its correlation, -1 to 1."""

    score: float
    pose: sitk.Euler3DTransform


def rotations_to_try(largest_degrees: float, step_degrees: float) -> np.ndarray:
    """Rotation matrices (n, 3, 3) within an angle about any axis, identity first.

    The rotation vectors (axis times angle) lie on a cubic grid; the ball reaches half a step
    beyond the largest angle, so that its surface is covered too.
    """
    reach = min(largest_degrees + step_degrees / 2, 180.0)
    count = int(np.ceil(reach / step_degrees))
    steps = np.arange(-count, count + 1) * step_degrees
    vectors = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    angles = np.linalg.norm(vectors, axis=1)
    within = vectors[angles <= reach + 1e-9]
    order = np.argsort(np.linalg.norm(within, axis=1), kind="stable")
    return Rotation.from_rotvec(within[order], degrees=True).as_matrix()


def find_poses(
    template: sitk.Image,
    volume: sitk.Image,
    rotations: np.ndarray,
    spacing_mm: float,
    min_overlap: float,
    template_mask: sitk.Image | None = None,
    volume_mask: sitk.Image | None = None,
) -> list[Candidate]:
    """Best translation of ``template`` in ``volume`` for every rotation, best first.

    Parameters
    ----------
    template, volume : scans of one body, of any contrast that is roughly linearly related
    rotations : (n, 3, 3), from template to volume
    spacing_mm : voxel size of the grid on which translations are tried
    min_overlap : smallest fraction of the template's mask that the volume's must cover
    template_mask, volume_mask : voxels that count (non-zero); None: all of the field of view

    Returns
    -------
    list of Candidate
        Empty when no translation reaches ``min_overlap``.
    """
    template = smooth(clip_to_quantiles(template), spacing_mm)
    volume = smooth(clip_to_quantiles(volume), spacing_mm)
    template_mask = whole_mask(template) if template_mask is None else template_mask
    volume_mask = whole_mask(volume) if volume_mask is None else volume_mask
    corners = _corners(volume)
    origin = corners.min(axis=0) + spacing_mm / 2
    shape = _cells(corners.max(axis=0) - corners.min(axis=0), spacing_mm)
    fixed, fixed_mask = _sample(volume, volume_mask, sitk.Transform(), origin, shape, spacing_mm)
    padded = tuple(
        fft.next_fast_len(int(length + _longest_cells(template, spacing_mm)), real=True)
        for length in fixed.shape
    )
    spectra = _Spectra(fixed, fixed_mask, padded)
    candidates = []
    for rotation in rotations:
        found = _best_translation(
            template, template_mask, rotation, spectra, origin, spacing_mm, min_overlap
        )
        if found is not None:
            candidates.append(found)
    return sorted(candidates, key=lambda candidate: -candidate.score)


class _Spectra:
    """Fourier transforms of the volume, computed once for all rotations."""

    def __init__(self, values: np.ndarray, mask: np.ndarray, padded: tuple[int, ...]) -> None:
        self.padded = padded
        self.mean = float(values[mask > 0].mean())
        values = (values - self.mean) * mask
        self.mask = fft.rfftn(mask, padded)
        self.values = fft.rfftn(values, padded)
        self.squares = fft.rfftn(values**2, padded)

    def correlate(self, spectrum: np.ndarray, template: np.ndarray) -> np.ndarray:
        """Sum over the template's cells of template times volume, for every shift."""
        return fft.irfftn(spectrum * np.conj(template), self.padded)


def _best_translation(
    template: sitk.Image,
    template_mask: sitk.Image,
    rotation: np.ndarray,
    spectra: _Spectra,
    origin: np.ndarray,
    spacing_mm: float,
    min_overlap: float,
) -> Candidate | None:
    centre = centre_of(template)
    # From the turned frame, whose origin is the template's centre, back to the template.
    turned_back = rigid_transform(rotation.T, np.zeros(3), centre)
    half_mm = np.abs((_corners(template) - centre) @ rotation.T).max(axis=0)
    shape = _cells(2 * half_mm, spacing_mm)
    first = -(shape - 1) / 2 * spacing_mm
    moved, mask = _sample(template, template_mask, turned_back, first, shape, spacing_mm)
    if mask.sum() == 0:
        return None
    score = _normalised_correlation(moved, mask, spectra, min_overlap * mask.sum())
    best = np.unravel_index(np.argmax(score), score.shape)
    if not np.isfinite(score[best]):
        return None
    # A shift beyond the volume's length stands for a negative one (the transform is periodic).
    shift = np.array(
        [s if s <= n - m else s - n for s, n, m in zip(best, score.shape, moved.shape, strict=True)]
    )
    placed = origin + shift[::-1] * spacing_mm - first
    return Candidate(float(score[best]), rigid_transform(rotation, centre, placed))


def _normalised_correlation(
    moved: np.ndarray, mask: np.ndarray, spectra: _Spectra, fewest_cells: float
) -> np.ndarray:
    """Correlation coefficient for every shift; -inf where the overlap is too small."""
    values = (moved - moved[mask > 0].mean()) * mask
    template, template_mask, template_squares = (
        fft.rfftn(part, spectra.padded) for part in (values, mask, values**2)
    )
    count = np.maximum(np.round(spectra.correlate(spectra.mask, template_mask)), 1)
    sum_fixed = spectra.correlate(spectra.values, template_mask)
    sum_moved = spectra.correlate(spectra.mask, template)
    product = spectra.correlate(spectra.values, template) - sum_fixed * sum_moved / count
    fixed_var = spectra.correlate(spectra.squares, template_mask) - sum_fixed**2 / count
    moved_var = spectra.correlate(spectra.mask, template_squares) - sum_moved**2 / count
    # Below a thousandth of the largest variance the image is flat and rounding would decide.
    flat = (fixed_var < 1e-3 * fixed_var.max()) | (moved_var < 1e-3 * moved_var.max())
    score = np.full(count.shape, -np.inf)
    usable = (count >= fewest_cells) & ~flat
    score[usable] = product[usable] / np.sqrt(fixed_var[usable] * moved_var[usable])
    return score


def _sample(
    image: sitk.Image,
    mask: sitk.Image,
    transform: sitk.Transform,
    origin: np.ndarray,
    shape: np.ndarray,
    spacing_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Values and mask (float64, z, y, x) on a grid along the axes of physical space."""
    grid = ([int(n) for n in shape], transform)
    place = (origin.tolist(), [spacing_mm] * 3, np.eye(3).ravel().tolist())
    values = sitk.Resample(image, *grid, sitk.sitkLinear, *place, 0.0, sitk.sitkFloat32)
    inside = sitk.Resample(mask, *grid, sitk.sitkNearestNeighbor, *place, 0.0, sitk.sitkUInt8)
    keep = (sitk.GetArrayFromImage(inside) > 0).astype(np.float64)
    return sitk.GetArrayFromImage(values).astype(np.float64) * keep, keep


def whole_mask(image: sitk.Image) -> sitk.Image:
    """Mask (uint8) of a whole field of view: 1 everywhere."""
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    mask.CopyInformation(image)
    return mask


def _corners(image: sitk.Image) -> np.ndarray:
    """Eight outer corners (8, 3) of an image's field of view, in mm."""
    size = np.array(image.GetSize())
    return np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint((np.array(corner) * size - 0.5).tolist())
            for corner in np.ndindex(2, 2, 2)
        ]
    )


def _cells(extent_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Cells x, y, z of a grid that covers an extent."""
    return np.maximum(np.ceil(extent_mm / spacing_mm - 1e-6), 1).astype(int)


def _longest_cells(image: sitk.Image, spacing_mm: float) -> int:
    """Cells that hold the image's diagonal, its extent in the worst rotation."""
    corners = _corners(image)
    return int(np.ceil(np.linalg.norm(corners[-1] - corners[0]) / spacing_mm)) + 1
