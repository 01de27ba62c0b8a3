"""Atlas baseline: class maps of other ears, carried to a target CT, vote (method.md section 8).

The method it stands for is the group's earlier one: tissue maps from thresholded micro-CTs are
registered to the target and fused by majority voting (Sun 2021, Introduction).
"""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from otosynth.configuration.atlas import AtlasSettings
from otosynth.errors import InputError
from otosynth.registration.alignment import (
    align_rigid,
    conjugate_gradients,
    execute,
    mean_radius_mm,
    repeatable_method,
)
from otosynth.registration.geometry import centre_of, linear_part
from otosynth.registration.preparation import clip_to_quantiles, resample_to_spacing, smooth
from otosynth.registration.search import (
    LARGEST_ROTATION_DEGREES,
    find_poses,
    rotations_to_try,
    whole_mask,
)

NO_VOTE = 255
# Ties go to the first of these: soft tissue 1, air 0, bone 2.
TIE_ORDER = (1, 0, 2)


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
            pose, metric = align_rigid(method, fixed, moving, candidate.pose, settings.iterations)
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
        conjugate_gradients(method, self.settings.iterations)
        execute(method, fixed, moving)
        return transform

    def bspline(self, affine: sitk.AffineTransform) -> sitk.CompositeTransform:
        """Free-form deformation of the target's space, applied before the affine transform."""
        fixed, atlas = self._level(self.settings.bspline_spacing_mm)
        # The atlas is brought over by the affine transform once: ITK is far slower when it has
        # to compose both transforms for every sample.
        moving = sitk.Resample(atlas, fixed, affine, sitk.sitkLinear, 0.0)
        mask = sitk.Resample(self.atlas_mask, fixed, affine, sitk.sitkNearestNeighbor, 0)
        method = self._method(fixed, mask)
        extent_mm = np.array(fixed.GetSize()) * fixed.GetSpacing()
        mesh = np.maximum(np.round(extent_mm / self.settings.mesh_spacing_mm), 1).astype(int)
        deformation = sitk.BSplineTransformInitializer(fixed, mesh.tolist(), 3)
        method.SetInitialTransform(deformation, inPlace=True)
        method.SetOptimizerAsLBFGSB(
            gradientConvergenceTolerance=1e-5,
            numberOfIterations=self.settings.iterations,
            maximumNumberOfFunctionEvaluations=self.settings.iterations,
            costFunctionConvergenceFactor=1e9,
        )
        execute(method, fixed, moving)
        return sitk.CompositeTransform([affine, deformation])

    def _level(self, spacing_mm: float) -> tuple[sitk.Image, sitk.Image]:
        """Target and atlas at one resolution."""
        target, atlas = (smooth(image, spacing_mm) for image in (self.target, self.atlas))
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


def majority_vote(class_maps: Sequence[np.ndarray]) -> np.ndarray:
    """Most frequent class of each voxel.

    Parameters
    ----------
    class_maps : arrays of one shape, air 0, soft tissue 1, bone 2; 255 abstains

    Returns
    -------
    np.ndarray
        uint8 of that shape, never 255. Ties go to soft tissue, then air, then bone (method.md
        section 8). Where every atlas abstains all classes tie, so the voxel is soft tissue.

    Raises
    ------
    InputError
        There is no class map, or their shapes differ.
    """
    if len({class_map.shape for class_map in class_maps}) != 1:
        shapes = ", ".join(str(class_map.shape) for class_map in class_maps) or "none"
        raise InputError(f"Majority voting needs class maps of one shape; found {shapes}.")
    winner = np.full(class_maps[0].shape, TIE_ORDER[0], dtype=np.uint8)
    most = _votes(class_maps, TIE_ORDER[0])
    for label in TIE_ORDER[1:]:
        votes = _votes(class_maps, label)
        more = votes > most
        winner[more], most[more] = label, votes[more]
    return winner


def _votes(class_maps: Sequence[np.ndarray], label: int) -> np.ndarray:
    """Count, per voxel, the class maps that say ``label``."""
    votes = np.zeros(class_maps[0].shape, dtype=np.uint16)
    for class_map in class_maps:
        votes += class_map == label
    return votes
