"""Bringing a new CT to the side and the pose in which a model was trained.

The networks saw each training CT on the grid of its micro-CT, ears of the other side mirrored. A
new CT is brought there by the training ear that it matches best: each training ear's coarse CT is
placed in the new CT and in its mirror image (all rotations near the training pose, then a rigid
refinement by correlation), as the atlases are (:mod:`otosynth.atlas`). The match tells the side,
the pose, and whether the CT shows such an ear at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.prediction.model import Reference, ReferenceFacts
from otosynth.registration.alignment import align_rigid, repeatable_method
from otosynth.registration.geometry import linear_part
from otosynth.registration.overlap import field_of_view_mask, resample_measured
from otosynth.registration.preparation import clip_to_quantiles, resample_to_spacing, smooth
from otosynth.registration.search import (
    LARGEST_ROTATION_DEGREES,
    find_poses,
    rotations_to_try,
    whole_mask,
)
from otosynth.specimens import SIDES, Side
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import Grid, downsample, downsample_mask

Search = Literal["45 degrees", "full sphere"]

# The search and the refinement: coarser steps than for an atlas, since only a pose is wanted.
STEP_DEGREES = 20.0
SEARCH_MM = 1.0
REFINED_MM = 0.9
SMALLEST_STEP_MM = 0.02
CANDIDATES = 3
ITERATIONS = 60
MOST_SAMPLES = 300_000
# A new CT must cover this part of a training ear for the two to be compared. Of a smaller part even
# an ear and its mirror image correlate highly.
LEAST_OVERLAP = 0.6
FLIP = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Placement:
    """Where a training ear lies in a new CT.

    Attributes
    ----------
    reference
        The training ear.
    side
        The new ear's side under which it was tried.
    mirrored
        Whether that is not the working side.
    pose
        Takes a point of the training grid to a point of the new CT, or of its mirror image.
    correlation
        Of the two CTs in the common field of view, -1 to 1.
    turned_degrees
        How far the new CT is turned against that ear's training CT.
    covered
        The part of that ear's common field of view that the new CT covers, 0 to 1.
    """

    reference: ReferenceFacts
    side: Side
    mirrored: bool
    pose: sitk.Euler3DTransform
    correlation: float
    turned_degrees: float
    covered: float

    @property
    def transform(self) -> sitk.AffineTransform:
        """Takes a point of the training grid to a point of the new CT, in mm LPS."""
        matrix, offset = linear_part(self.pose)
        flip = FLIP if self.mirrored else np.eye(3)
        transform = sitk.AffineTransform(3)
        transform.SetMatrix((flip @ matrix).ravel().tolist())
        transform.SetTranslation((flip @ offset).tolist())
        return transform

    def onto_training_grid(
        self, ct: sitk.Image, factor: int = 1, measured: sitk.Image | None = None
    ) -> tuple[sitk.Image, sitk.Image]:
        """Return a CT (HU) and the mask of what was measured of it as the networks want them.

        As the training CTs were: brought to the micro-CT's grid, then averaged by the method's
        down-sampling ``factor``. ``ct`` and ``measured`` are as
        :func:`otosynth.volumes.measured.measured_part` gives them.
        """
        grid, transform = self.reference.grid.refined(factor), self.transform
        return (
            downsample(resample_measured(ct, measured, transform, grid), factor),
            downsample_mask(field_of_view_mask(ct, transform, grid, measured), factor),
        )


def place(
    ct: sitk.Image,
    references: Sequence[Reference],
    working_side: Side,
    sides: Sequence[Side] = SIDES,
    search: Search = "45 degrees",
    advance: Callable[[], None] = lambda: None,
    measured: sitk.Image | None = None,
) -> list[Placement]:
    """Place each training ear in a new CT, and in its mirror image.

    Parameters
    ----------
    ct
        The new CT in HU; its geometry must be true.
    references
        Training ears seen from the working side.
    sides
        Sides of the new ear that are tried.
    search
        How far the new CT may be turned against the training CTs.
    advance
        Called after each of them.
    measured
        What of the CT was measured (non-zero), on its grid; None: all of it.

    Returns
    -------
    list of Placement
        The best match first.

    Raises
    ------
    InputError
        If no training ear finds a place in the CT.
    """
    found = []
    for side in sides:
        moving, known = ct, measured
        if side != working_side:
            moving, known = reflected(ct), None if measured is None else reflected(measured)
        scan = _Scan(clip_to_quantiles(moving), known)
        for reference in references:
            placement = _place_one(scan, reference, side, side != working_side, search)
            found += [placement] if placement else []
            advance()
    if not found:
        raise InputError(
            "No training ear of the model finds a place in the CT: it must show the ear, and "
            f"{LEAST_OVERLAP:.0%} of the region that the model was trained on. If the ear lies far "
            "from the usual pose, add --search 'full sphere'."
        )
    return sorted(found, key=lambda placement: -placement.correlation)


def reflected(image: sitk.Image) -> sitk.Image:
    """Return an image's mirror image, left and right exchanged (x becomes -x, mm LPS).

    The voxels stay; the grid is what is reflected, so it is then left-handed.
    """
    x, y, z = image.GetOrigin()
    mirror_image = sitk.Image(image)
    mirror_image.SetOrigin((-x, y, z))
    mirror_image.SetDirection((FLIP @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return mirror_image


class _Scan:
    """A new CT, and what every training ear is compared with."""

    def __init__(self, ct: sitk.Image, measured: sitk.Image | None) -> None:
        self.ct, self.measured = ct, measured
        self.mask = whole_mask(ct) if measured is None else measured
        self.refined = resample_to_spacing(smooth(ct, REFINED_MM), REFINED_MM)


def _place_one(
    scan: _Scan, reference: Reference, side: Side, mirrored: bool, search: Search
) -> Placement | None:
    start = np.reshape(reference.facts.rotation, (3, 3))
    rotations = rotations_to_try(LARGEST_ROTATION_DEGREES[search], STEP_DEGREES) @ start
    template = clip_to_quantiles(reference.ct)
    candidates = find_poses(
        template, scan.ct, rotations, SEARCH_MM, LEAST_OVERLAP, reference.mask, scan.mask
    )
    fixed = resample_to_spacing(smooth(template, REFINED_MM), REFINED_MM)
    refined = []
    for candidate in candidates[:CANDIDATES]:
        method = repeatable_method(fixed, MOST_SAMPLES, seed=0)
        method.SetMetricAsCorrelation()
        method.SetMetricFixedMask(reference.mask)
        method.SetMetricMovingMask(scan.mask)
        try:
            pose, metric = align_rigid(
                method,
                fixed,
                scan.refined,
                candidate.pose,
                ITERATIONS,
                REFINED_MM,
                SMALLEST_STEP_MM,
            )
        except InputError:
            continue  # this candidate left the CT; another may not
        covered = _overlap(scan, reference.mask, pose)
        if covered >= LEAST_OVERLAP:
            refined.append((pose, metric, covered))
    if not refined:
        return None
    pose, metric, covered = min(refined, key=lambda one: one[1])
    # ITK's metric is minus the square of the correlation coefficient.
    correlation = float(np.sqrt(max(-metric, 0.0)))
    turned = _angle(pose, start)
    return Placement(reference.facts, side, mirrored, pose, correlation, turned, covered)


def _overlap(scan: _Scan, mask: sitk.Image, pose: sitk.Transform) -> float:
    """Return the part of a training ear's mask that a CT covers, 0 to 1."""
    covered = array_of(field_of_view_mask(scan.ct, pose, Grid.of(mask), scan.measured))
    return float(np.mean(covered[array_of(mask) > 0]))


def _angle(pose: sitk.Transform, start: np.ndarray) -> float:
    """Return the angle in degrees between a pose and a rotation (3, 3)."""
    trace = np.trace(linear_part(pose)[0] @ start.T)
    return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))
