"""Atlas baseline: class maps of other ears, carried to a target CT (method.md section 8).

The method it stands for is the group's earlier one: tissue maps from thresholded micro-CTs are
registered to the target and fused by majority voting (Sun 2021, Introduction); `otosynth.fusion`
has the vote.
"""

import math

import numpy as np
import SimpleITK as sitk

from otosynth.configuration.atlas import AtlasSettings
from otosynth.distances import Spacing
from otosynth.errors import InputError
from otosynth.fusion import NO_VOTE
from otosynth.registration.alignment import (
    align_rigid,
    descend,
    execute,
    mean_radius_mm,
    repeatable_method,
)
from otosynth.registration.freeform import fit_bspline
from otosynth.registration.geometry import centre_of, linear_part
from otosynth.registration.preparation import (
    clip_to_quantiles,
    resample_to_spacing,
    shrink_towards,
    smooth,
)
from otosynth.registration.search import (
    LARGEST_ROTATION_DEGREES,
    find_poses,
    rotations_to_try,
    whole_mask,
)

# The rigid and the affine stage end when their steps are this small; the B-spline goes on.
SMALLEST_STEP_IN_VOXELS = 0.02


def register_atlas(
    target_ct: sitk.Image,
    atlas_ct: sitk.Image,
    settings: AtlasSettings,
    seed: int,
    target_mask: sitk.Image | None = None,
    atlas_mask: sitk.Image | None = None,
) -> sitk.Transform:
    """Register an atlas's CT to a target CT: rigid, affine, then B-spline.

    The two ears need not be aligned, but must be of one side.

    Parameters
    ----------
    target_ct, atlas_ct : CTs in HU
    settings : resolution of each stage, mesh and search
    seed : of the random part of the voxels drawn from a target larger than the settings allow
    target_mask, atlas_mask : voxels that hold CT values (non-zero); None: all

    Returns
    -------
    sitk.Transform
        Takes a target point to an atlas point, in mm LPS.

    Raises
    ------
    InputError
        No pose covers ``settings.min_overlap`` of the target.
    """
    stages = _Stages(target_ct, atlas_ct, settings, seed, target_mask, atlas_mask)
    rigid = stages.rigid()
    affine = stages.affine(rigid)
    return stages.bspline(affine)


class _Stages:
    """Both scans, and the three stages that share them."""

    def __init__(
        self,
        target: sitk.Image,
        atlas: sitk.Image,
        settings: AtlasSettings,
        seed: int,
        target_mask: sitk.Image | None,
        atlas_mask: sitk.Image | None,
    ) -> None:
        self.target = clip_to_quantiles(target)
        self.atlas = clip_to_quantiles(atlas)
        self.target_mask = whole_mask(target) if target_mask is None else target_mask
        self.atlas_mask = whole_mask(atlas) if atlas_mask is None else atlas_mask
        self.settings, self.seed = settings, seed

    def rigid(self) -> sitk.Euler3DTransform:
        """Search all rotations, refine the best poses, keep the one with the best metric."""
        settings = self.settings
        candidates = find_poses(
            self.target,
            self.atlas,
            rotations_to_try(
                LARGEST_ROTATION_DEGREES[settings.search], settings.search_step_degrees
            ),
            settings.search_spacing_mm,
            settings.min_overlap,
            self.target_mask,
            self.atlas_mask,
        )
        if not candidates:
            raise InputError(
                "An atlas could not be placed on the target: no pose covers "
                f"{100 * settings.min_overlap:.0f} % of it (atlas.min_overlap)."
            )
        fixed, moving = self._level(settings.rigid_spacing_mm)
        refined = []
        for candidate in candidates[: settings.candidates]:
            method = self._method(fixed, self.atlas_mask)
            pose, metric = align_rigid(
                method,
                fixed,
                moving,
                candidate.pose,
                settings.iterations,
                settings.rigid_spacing_mm,
                SMALLEST_STEP_IN_VOXELS * settings.rigid_spacing_mm,
            )
            refined.append((metric, pose))
        return min(refined, key=lambda found: found[0])[1]

    def affine(self, rigid: sitk.Transform) -> sitk.AffineTransform:
        """Affine transform that starts from the rigid one."""
        fixed, moving = self._level(self.settings.affine_spacing_mm)
        method = self._method(fixed, self.atlas_mask)
        transform = sitk.AffineTransform(3)
        centre = centre_of(fixed)
        matrix, offset = linear_part(rigid)
        transform.SetCenter(centre.tolist())
        transform.SetMatrix(matrix.ravel().tolist())
        transform.SetTranslation((matrix @ centre + offset - centre).tolist())
        method.SetInitialTransform(transform, inPlace=True)
        method.SetOptimizerScales([mean_radius_mm(fixed) ** 2] * 9 + [1.0] * 3)
        spacing_mm = self.settings.affine_spacing_mm
        steps_mm = spacing_mm / 2, SMALLEST_STEP_IN_VOXELS * spacing_mm
        descend(method, self.settings.iterations, *steps_mm)
        execute(method, fixed, moving)
        return transform

    def bspline(self, affine: sitk.AffineTransform) -> sitk.CompositeTransform:
        """Free-form deformation of the target's space, applied before the affine transform."""
        fixed, atlas = self._level(self.settings.bspline_spacing_mm)
        # The atlas is brought over by the affine transform once, so that both share a grid.
        moving = sitk.Resample(atlas, fixed, affine, sitk.sitkLinear, 0.0)
        mask = sitk.Resample(self.atlas_mask, fixed, affine, sitk.sitkNearestNeighbor, 0)
        target_mask = sitk.Resample(
            self.target_mask, fixed, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        extent_mm = np.array(fixed.GetSize()) * fixed.GetSpacing()
        mesh = np.maximum(np.round(extent_mm / self.settings.mesh_spacing_mm), 1).astype(int)
        deformation = fit_bspline(
            fixed,
            moving,
            target_mask,
            mask,
            mesh.tolist(),
            self.settings.iterations,
            self.settings.max_samples,
            self.seed,
        )
        return sitk.CompositeTransform([affine, deformation])

    def _level(self, spacing_mm: float) -> tuple[sitk.Image, sitk.Image]:
        """Target and atlas at one resolution."""
        target, atlas = (
            smooth(shrink_towards(image, spacing_mm / 2), spacing_mm)
            for image in (self.target, self.atlas)
        )
        return resample_to_spacing(target, spacing_mm), resample_to_spacing(atlas, spacing_mm)

    def _method(self, fixed: sitk.Image, atlas_mask: sitk.Image) -> sitk.ImageRegistrationMethod:
        """Correlation as the metric: both are CTs in HU, and it aligns them better than MI."""
        method = repeatable_method(fixed, self.settings.max_samples, self.seed)
        method.SetMetricAsCorrelation()
        method.SetMetricFixedMask(self.target_mask)
        method.SetMetricMovingMask(atlas_mask)
        return method


def carry_class_map(
    class_map: sitk.Image, transform: sitk.Transform, target_ct: sitk.Image
) -> sitk.Image:
    """Bring an atlas's class map to the target's grid.

    Parameters
    ----------
    class_map : air 0, soft tissue 1, bone 2, on the atlas's grid
    transform : takes a target point to an atlas point, in mm LPS
    target_ct : image whose grid is used

    Returns
    -------
    sitk.Image
        uint8, nearest neighbour; 255 (no vote) outside the atlas.
    """
    return sitk.Resample(
        class_map, target_ct, transform, sitk.sitkNearestNeighbor, NO_VOTE, sitk.sitkUInt8
    )


def carry_ct(ct: sitk.Image, transform: sitk.Transform, target_ct: sitk.Image) -> sitk.Image:
    """Bring an atlas's CT to the target's grid.

    Parameters
    ----------
    ct : the atlas's CT in HU
    transform : takes a target point to an atlas point, in mm LPS
    target_ct : image whose grid is used

    Returns
    -------
    sitk.Image
        float32 HU, linear interpolation; NaN outside the atlas, which gives no weight.
    """
    return sitk.Resample(ct, target_ct, transform, sitk.sitkLinear, float("nan"), sitk.sitkFloat32)


def placement(own: np.ndarray, carried: np.ndarray, spacing_mm: Spacing) -> dict[str, float]:
    """Return how well a registered atlas lies on the target, by a part that both ears know.

    Parameters
    ----------
    own, carried : z, y, x; the part in the target, and the atlas's carried to it: 1 inside
    spacing_mm : voxel size z, y, x

    Returns
    -------
    dict
        ``dice`` of the two, and ``offset_mm`` between their centres; NaN where one is empty.
    """
    own, carried = own == 1, carried == 1
    if not own.any() or not carried.any():
        return {"dice": math.nan, "offset_mm": math.nan}
    centres = [np.argwhere(part).mean(axis=0) * spacing_mm for part in (own, carried)]
    both = int(np.count_nonzero(own & carried))
    return {
        "dice": 2 * both / (int(np.count_nonzero(own)) + int(np.count_nonzero(carried))),
        "offset_mm": float(np.linalg.norm(centres[0] - centres[1])),
    }
