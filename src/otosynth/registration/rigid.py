"""Rigid registration of a CT to its micro-CT."""

from dataclasses import dataclass

import pandas as pd
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.registration.alignment import Trace, align_rigid, repeatable_method
from otosynth.registration.expected_ct import AVERAGED_IN_VOXELS, fit_appearance, tissue_maps
from otosynth.registration.geometry import centre_of, corners_of, inverse_of, voxel_size_mm
from otosynth.registration.least_squares import align_least_squares
from otosynth.registration.overlap import check_overlap, field_of_view_mask, overlap_fraction
from otosynth.registration.preparation import (
    clip_to_quantiles,
    crop_around,
    crop_border,
    eroded,
    filled,
    marked,
    resample_to_spacing,
    shrink_volume,
    smooth,
    thinned,
)
from otosynth.registration.search import LARGEST_ROTATION_DEGREES, find_poses, rotations_to_try
from otosynth.registration.target_error import target_registration_error
from otosynth.volumes.grids import Grid
from otosynth.volumes.volume import Volume

# How much coarser than the settings' the grid of the first search is, and its step of rotations.
COARSER_SPACING, COARSER_STEP = 2.0, 4 / 3
# Voxel size of the coarse level, in CT voxels.
COARSE_LEVEL_IN_VOXELS = 2.0
# CT voxels that suffice to tell candidates apart; the last level uses as many as the settings
# allow.
SAMPLES = {"coarse": 8000}
# First and smallest step of each level, in CT voxels: how far it may start from its optimum, and
# how near it is to come. Least squares end within some thousandths of the last level's.
STEPS_IN_VOXELS = {"coarse": (2.0, 0.05), "expected CT": (0.003, 0.002)}
# Two candidates that end this near to each other (CT voxels) have found the same pose.
SAME_POSE_IN_VOXELS = 0.25


@dataclass(frozen=True)
class RigidRegistration:
    """A registered pair.

    Attributes
    ----------
    transform : takes a micro-CT point to a CT point, in mm LPS
    trace : columns stage, level, iteration, metric (Mattes' mutual information, negative)
    initialisation : 'transform file', 'landmarks' or 'automatic search'
    point_spread_mm : the CT's, full width at half maximum, by which the micro-CT explains it best
    """

    transform: sitk.Euler3DTransform
    trace: pd.DataFrame
    initialisation: str
    point_spread_mm: float


def register_rigid(
    microct: Volume,
    ct: sitk.Image,
    settings: RegistrationSettings,
    initial: sitk.Euler3DTransform | None,
    seed: int,
    initialisation: str = "transform file",
    ct_measured: sitk.Image | None = None,
) -> RigidRegistration:
    """Find the rigid pose of a micro-CT in a CT by mutual information (method.md section 3).

    The CT's voxels are compared with the micro-CT blurred to the CT's point spread, so that the
    noisy, coarse scan is never interpolated: first at half the CT's resolution, then with the CT to
    be expected from the micro-CT (`expected_ct`), near whose optimum least squares lead.

    Parameters
    ----------
    microct : micro-CT, any unit; gone through slab by slab, with NaN in slabs where it was not
        measured (:class:`otosynth.volumes.measured.MarkedVolume`)
    ct : CT in HU
    settings : search, levels and smallest overlap
    initial : takes a micro-CT point to a CT point; None: search for it
    seed : of the random part of the voxels drawn from a CT larger than ``settings.max_samples``
    initialisation : what ``initial`` was read from; not used when it is None
    ct_measured : what of the CT was measured (non-zero), on its grid; None: all of it

    Raises
    ------
    InputError
        The scans do not overlap enough, at the start or after registration.
    """
    voxel_mm = voxel_size_mm(ct)
    averaged, small_measured = filled(*shrink_volume(microct, AVERAGED_IN_VOXELS * voxel_mm))
    small = clip_to_quantiles(averaged)
    coarse = smooth(small, COARSE_LEVEL_IN_VOXELS * voxel_mm)
    pair = _Pair(microct, small, coarse, small_measured, ct, ct_measured, voxel_mm, settings, seed)
    if initial is None:
        pose, rows = _best_start(pair)
        initialisation = "automatic search"
    else:
        pair.check_overlap(initial, "initial transform")
        trace = Trace()
        pose, _ = _coarse_level(pair, initial, trace)
        rows = trace.rows
    trace = Trace(rows)
    pose, point_spread_mm = _expected_ct_level(pair, pose, trace)
    pair.check_overlap(pose, "after registration")
    columns = ["stage", "level", "iteration", "metric"]
    trace_table = pd.DataFrame(trace.rows, columns=columns)
    return RigidRegistration(pose, trace_table, initialisation, point_spread_mm)


@dataclass(frozen=True)
class _Pair:
    microct: Volume
    small: sitk.Image  # micro-CT averaged to nearly the CT's voxel, without extreme values
    coarse: sitk.Image  # the same, blurred for the coarse level
    small_measured: sitk.Image | None  # what was measured of it; None: all
    ct: sitk.Image
    ct_measured: sitk.Image | None
    voxel_mm: float  # of the CT
    settings: RegistrationSettings
    seed: int

    @property
    def grid(self) -> Grid:
        """On which the overlap of both fields of view is measured."""
        return Grid.of(self.coarse)

    def covered(self, pose: sitk.Transform) -> sitk.Image:
        """Return where the CT covers the micro-CT in a pose."""
        return field_of_view_mask(self.ct, pose, self.grid, self.ct_measured)

    def check_overlap(self, pose: sitk.Transform, when: str) -> None:
        """Refuse a pose in which the CT covers too little of the micro-CT."""
        check_overlap(self.covered(pose), when, self.settings, self.small_measured)


# A pose with its metric, and the trace of how it was found.
_Refined = tuple[float, sitk.Euler3DTransform, list[dict[str, object]]]


def _best_start(pair: _Pair) -> tuple[sitk.Euler3DTransform, list[dict[str, object]]]:
    """Search on a coarser grid than the settings', and on theirs if that confirms no pose.

    The coarser takes a fraction of the time, and suffices unless the fields of view are small.
    """
    spacing_mm, step_degrees = pair.settings.search_spacing_mm, pair.settings.search_step_degrees
    refined, confirmed = _search(pair, COARSER_SPACING * spacing_mm, COARSER_STEP * step_degrees)
    if not confirmed:
        found, _ = _search(pair, spacing_mm, step_degrees)
        refined += found
    if not refined:
        raise InputError(
            "The automatic search found no pose in which the CT covers "
            f"{100 * pair.settings.min_overlap:.0f} % of the micro-CT (registration.min_overlap). "
            "Check that both scans show the same ear, or give an initial transform."
        )
    _, pose, rows = min(refined, key=_metric_of)
    return pose, rows


def _search(pair: _Pair, spacing_mm: float, step_degrees: float) -> tuple[list[_Refined], bool]:
    """Refine the best poses of a search at the coarse level.

    The first that ends at the best pose so far confirms it, and the others are not refined.
    """
    settings = pair.settings
    rotations = rotations_to_try(LARGEST_ROTATION_DEGREES[settings.search], step_degrees)
    candidates = find_poses(
        pair.small,
        pair.ct,
        rotations,
        spacing_mm,
        settings.min_overlap,
        pair.small_measured,
        pair.ct_measured,
    )
    refined: list[_Refined] = []
    for candidate in candidates[: settings.candidates]:
        trace = Trace()
        try:
            pose, metric = _coarse_level(pair, candidate.pose, trace)
        except InputError:
            continue  # this candidate left the CT; another may not
        covered = overlap_fraction(pair.covered(pose), pair.small_measured)
        if covered < settings.min_overlap:
            continue
        confirmed = bool(refined) and _same_pose(pair, pose, min(refined, key=_metric_of)[1])
        refined.append((metric, pose, trace.rows))
        if confirmed:
            return refined, True
    return refined, False


def _metric_of(refined: _Refined) -> float:
    return refined[0]


def _same_pose(pair: _Pair, one: sitk.Transform, other: sitk.Transform) -> bool:
    """Whether two poses take the corners of the micro-CT to nearly the same points."""
    corners = corners_of(pair.small)
    return bool(
        target_registration_error(one, other, corners).max() < SAME_POSE_IN_VOXELS * pair.voxel_mm
    )


def _coarse_level(
    pair: _Pair, pose: sitk.Euler3DTransform, trace: Trace
) -> tuple[sitk.Euler3DTransform, float]:
    spacing_mm = COARSE_LEVEL_IN_VOXELS * pair.voxel_mm
    cropped = crop_around(pair.ct, pair.small, pose, spacing_mm)
    fixed = resample_to_spacing(smooth(clip_to_quantiles(cropped), spacing_mm), spacing_mm)
    masks = pair.ct_measured, pair.small_measured
    return _align(pair, fixed, pair.coarse, pose, trace, "coarse", 1, masks)


def _expected_ct_level(
    pair: _Pair, pose: sitk.Euler3DTransform, trace: Trace
) -> tuple[sitk.Euler3DTransform, float]:
    """Return the pose, and the point spread (mm) of the CT to be expected."""
    around = pair.small, pose, pair.voxel_mm
    cropped = crop_around(pair.ct, *around)
    measured = None if pair.ct_measured is None else crop_around(pair.ct_measured, *around)
    tissue = tissue_maps(pair.microct, pair.voxel_mm)
    back = inverse_of(pose, centre_of(cropped))
    appearance, expected = fit_appearance(
        tissue, marked(cropped, measured), back, pair.settings.ct_resolution_mm
    )
    # The micro-CT's border lacks what lies beyond it, which the CT's blur mixes in.
    fixed = clip_to_quantiles(cropped)
    border_mm = appearance.resolution_mm / 2
    moving = crop_border(clip_to_quantiles(expected), border_mm)
    seen = (
        None
        if tissue.measured is None
        else crop_border(eroded(tissue.measured, border_mm), border_mm)
    )
    nearer = align_least_squares(marked(fixed, measured), marked(moving, seen), back)
    pose = inverse_of(nearer, pair.microct.grid.centre_mm)
    # Whole rows of voxels: ITK's random points lie between voxels, where the noisy CT would have to
    # be interpolated.
    fewer = thinned(fixed, pair.settings.max_samples)
    pose, _ = _align(pair, fewer, moving, pose, trace, "expected CT", 2, (measured, seen))
    return pose, appearance.resolution_mm


def _align(
    pair: _Pair,
    fixed: sitk.Image,
    moving: sitk.Image,
    pose: sitk.Euler3DTransform,
    trace: Trace,
    stage: str,
    level: int,
    masks: tuple[sitk.Image | None, sitk.Image | None],
) -> tuple[sitk.Euler3DTransform, float]:
    """One level; poses are micro-CT to CT, while the CT is ITK's fixed image.

    ``masks`` say what of the fixed and of the moving image was measured; None: all of it.
    """
    settings = pair.settings
    samples = min(settings.max_samples, SAMPLES.get(stage, settings.max_samples))
    method = repeatable_method(fixed, samples, pair.seed)
    method.SetMetricAsMattesMutualInformation(settings.histogram_bins)
    of_fixed, of_moving = masks
    if of_fixed is not None:
        method.SetMetricFixedMask(of_fixed)
    if of_moving is not None:
        method.SetMetricMovingMask(of_moving)
    trace.follow(method, stage, level)
    start = inverse_of(pose, centre_of(fixed))
    step_mm, smallest_mm = (voxels * pair.voxel_mm for voxels in STEPS_IN_VOXELS[stage])
    found, metric = align_rigid(
        method, fixed, moving, start, settings.iterations, step_mm, smallest_mm
    )
    return inverse_of(found, pair.microct.grid.centre_mm), metric
