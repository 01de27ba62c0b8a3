"""Automatic search for the pose of one scan in another: all rotations, all translations.

Every rotation of a grid is tried; for each, the normalised cross-correlation over the common
field of view is computed for all translations at once (Padfield 2012, Masked object registration
in the Fourier domain, IEEE Trans. Image Process. 21(5), eq. 36).
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from otosynth.registration.geometry import centre_of, corners_of, rigid_transform
from otosynth.registration.preparation import clip_to_quantiles, shrink_towards, smooth

# What the configuration calls the reach of the search.
LARGEST_ROTATION_DEGREES = {"45 degrees": 45.0, "full sphere": 180.0}

# Before they are smoothed to the grid of the search, scans are averaged to voxels this much finer.
VOXELS_PER_CELL = 4
# Rotations whose transforms are computed together: enough to spare overhead, few for the memory.
ROTATIONS_AT_ONCE = 16


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
    small, large = (
        _Scan(template, template_mask, spacing_mm),
        _Scan(volume, volume_mask, spacing_mm),
    )
    corners = corners_of(volume)
    origin = corners.min(axis=0) + spacing_mm / 2
    shape = _cells(corners.max(axis=0) - corners.min(axis=0), spacing_mm)
    edge = _longest_cells(template, spacing_mm)
    padded = tuple(fft.next_fast_len(int(n) + edge, real=True) for n in shape[::-1])
    spectra = _Spectra(*large.at(origin + _grid(shape, spacing_mm)), padded)
    # Every turned template is sampled on a cube round its centre that holds it in any rotation.
    cube = _grid(np.array([edge] * 3), spacing_mm)
    first = -(edge - 1) / 2 * spacing_mm
    centre = centre_of(template)
    candidates = []
    for start in range(0, len(rotations), ROTATIONS_AT_ONCE):
        turns = rotations[start : start + ROTATIONS_AT_ONCE]
        # From the turned frame, whose origin is the template's centre, back to the template.
        points = np.einsum("zyxj,njk->nzyxk", cube + first, turns) + centre
        scores = _normalised_correlation(*small.at(points), spectra, min_overlap)
        best, shifts = _best_shifts(scores, edge)
        candidates += [
            Candidate(
                float(score), rigid_transform(turn, centre, origin + shift * spacing_mm - first)
            )
            for turn, score, shift in zip(turns, best, shifts, strict=True)
            if np.isfinite(score)
        ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


class _Scan:
    """A scan and its mask, smoothed to the search's resolution, to be sampled anywhere."""

    def __init__(self, image: sitk.Image, mask: sitk.Image | None, spacing_mm: float) -> None:
        small = shrink_towards(image, spacing_mm / VOXELS_PER_CELL)
        self.values = sitk.GetArrayFromImage(smooth(clip_to_quantiles(small), spacing_mm))
        mask = whole_mask(small) if mask is None else mask
        inside = sitk.Resample(mask, small, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
        self.mask = (sitk.GetArrayViewFromImage(inside) > 0).astype(np.float32)
        direction = np.reshape(small.GetDirection(), (3, 3))
        self.to_index = np.linalg.inv(direction * small.GetSpacing())
        self.origin = np.array(small.GetOrigin())

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and mask (float32, ...) at points (..., 3), mm; both 0 outside the mask."""
        index = np.einsum("...j,ij->i...", points - self.origin, self.to_index)[::-1]
        mask = map_coordinates(self.mask, index, order=0, mode="grid-constant")
        return map_coordinates(self.values, index, order=1, mode="nearest") * mask, mask


class _Spectra:
    """Fourier transforms of the volume, computed once for all rotations."""

    def __init__(self, values: np.ndarray, mask: np.ndarray, padded: tuple[int, ...]) -> None:
        self.padded = padded
        values = (values - values[mask > 0].mean()) * mask
        self.mask, self.values, self.squares = map(self.of, (mask, values, values**2))

    def of(self, cells: np.ndarray) -> np.ndarray:
        """Spectrum over the last three axes."""
        return fft.rfftn(cells, self.padded, axes=(-3, -2, -1))

    def correlate(self, spectrum: np.ndarray, templates: np.ndarray) -> np.ndarray:
        """Sum over the templates' cells of template times volume, for every shift."""
        return fft.irfftn(spectrum * templates, self.padded, axes=(-3, -2, -1), overwrite_x=True)


def _normalised_correlation(
    moved: np.ndarray, mask: np.ndarray, spectra: _Spectra, min_overlap: float
) -> np.ndarray:
    """Correlation coefficients (n, z, y, x) of n templates for every shift.

    They are -inf where the overlap is less than the fraction ``min_overlap`` of the mask.
    """
    cells = mask.sum(axis=(1, 2, 3), keepdims=True)
    mean = moved.sum(axis=(1, 2, 3), keepdims=True) / np.maximum(cells, 1)
    values = (moved - mean) * mask
    template, template_mask, template_squares = (
        np.conj(spectra.of(part)) for part in (values, mask, values**2)
    )
    count = np.maximum(np.round(spectra.correlate(spectra.mask, template_mask)), 1)
    sum_fixed = spectra.correlate(spectra.values, template_mask)
    sum_moved = spectra.correlate(spectra.mask, template)
    product = spectra.correlate(spectra.values, template) - sum_fixed * sum_moved / count
    fixed_var = spectra.correlate(spectra.squares, template_mask) - sum_fixed**2 / count
    moved_var = spectra.correlate(spectra.mask, template_squares) - sum_moved**2 / count
    usable = count >= np.maximum(min_overlap * cells, 1)
    # Below a thousandth of the largest variance the image is flat and rounding would decide.
    for variance in (fixed_var, moved_var):
        usable &= variance >= 1e-3 * variance.max(axis=(1, 2, 3), keepdims=True)
        usable &= variance > 0
    score = np.full(count.shape, -np.inf, np.float32)
    score[usable] = product[usable] / np.sqrt(fixed_var[usable] * moved_var[usable])
    return score


def _best_shifts(scores: np.ndarray, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Best score (n,) of each rotation and where it lies, cells (n, 3) x, y, z."""
    flat = scores.reshape(len(scores), -1)
    best = flat.argmax(axis=1)
    shifts = np.stack(np.unravel_index(best, scores.shape[1:]), axis=1)
    # A shift beyond the volume's length stands for a negative one (the transform is periodic).
    size = np.array(scores.shape[1:])
    shifts = np.where(shifts > size - edge, shifts - size, shifts)
    return np.take_along_axis(flat, best[:, None], axis=1)[:, 0], shifts[:, ::-1]


def _grid(shape: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Points (z, y, x, 3), mm, of a grid of ``shape`` x, y, z that starts at the origin."""
    z, y, x = np.meshgrid(*(np.arange(n) * spacing_mm for n in shape[::-1]), indexing="ij")
    return np.stack([x, y, z], axis=-1)


def whole_mask(image: sitk.Image) -> sitk.Image:
    """Mask (uint8) of a whole field of view: 1 everywhere."""
    mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    mask.CopyInformation(image)
    return mask


def _cells(extent_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Cells x, y, z of a grid that covers an extent."""
    return np.maximum(np.ceil(extent_mm / spacing_mm - 1e-6), 1).astype(int)


def _longest_cells(image: sitk.Image, spacing_mm: float) -> int:
    """Cells that hold the image's diagonal, its extent in the worst rotation."""
    corners = corners_of(image)
    return int(np.ceil(np.linalg.norm(corners[-1] - corners[0]) / spacing_mm)) + 1
