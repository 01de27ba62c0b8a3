"""A rigid pose between two images of the same grey values, by least squares."""

import numpy as np
import SimpleITK as sitk
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from otosynth.registration.alignment import mean_radius_mm
from otosynth.registration.geometry import as_euler, centre_of, rigid_transform
from otosynth.registration.preparation import thinned

# Fixed voxels that are compared, at most.
MOST_VOXELS = 100_000
# The search ends where the pose moves by less than this part of its whole correction.
SMALLEST_PART = 0.01
# Of a rigid pose: a rotation and a translation.
UNKNOWNS = 6


def align_least_squares(
    fixed: sitk.Image, moving: sitk.Image, initial: sitk.Transform
) -> sitk.Euler3DTransform:
    """Improve a rigid pose until the squared differences of two images are least.

    By Levenberg and Marquardt's method (MINPACK), on all fixed voxels that lie in the moving
    image at the start. From within a voxel of the optimum it takes few steps, where gradient
    descent takes dozens.

    Parameters
    ----------
    fixed, moving : images in the same unit, float32; NaN where they are not known
    initial : takes a fixed point to a moving point, in mm; not worse than a voxel or so

    Returns
    -------
    sitk.Euler3DTransform
        Takes a fixed point to a moving point, about the centre of ``fixed``; the initial one where
        the images hardly overlap.
    """
    problem = _Problem(thinned(fixed, MOST_VOXELS), moving, as_euler(initial, centre_of(fixed)))
    if np.count_nonzero(problem.inside) < UNKNOWNS:
        return problem.start
    found = least_squares(
        problem.residuals, np.zeros(UNKNOWNS), problem.jacobian, method="lm", xtol=SMALLEST_PART
    )
    return problem.pose(found.x)


class _Problem:
    """Differences of two images as a function of a small correction of a pose.

    A correction (6,) is a rotation vector times ``radius_mm``, which makes it mm as well, and a
    translation in mm; both act on fixed points, about the image's centre, before the pose.
    """

    def __init__(self, fixed: sitk.Image, moving: sitk.Image, start: sitk.Euler3DTransform) -> None:
        self.fixed, self.moving, self.start = fixed, moving, start
        self.centre_mm, self.radius_mm = centre_of(fixed), mean_radius_mm(fixed)
        self.measured = sitk.GetArrayFromImage(fixed)
        # Voxels count that see the moving image, with their neighbours, at the start.
        self.inside = np.isfinite(self._slopes(np.zeros(UNKNOWNS))).all(axis=0)
        self.inside &= np.isfinite(self.measured)
        self.arms_mm = _points_mm(fixed)[:, self.inside] - self.centre_mm[:, None]

    def pose(self, correction: np.ndarray) -> sitk.Euler3DTransform:
        """Return the start, corrected."""
        turn = Rotation.from_rotvec(correction[:3] / self.radius_mm).as_matrix()
        step = rigid_transform(turn, self.centre_mm, self.centre_mm + correction[3:])
        return as_euler(sitk.CompositeTransform([self.start, step]), self.centre_mm)

    def residuals(self, correction: np.ndarray) -> np.ndarray:
        """Return moving minus fixed values; none where the moving image has been left."""
        difference = (self._seen(correction) - self.measured)[self.inside]
        return np.nan_to_num(difference).astype(np.float64)

    def jacobian(self, correction: np.ndarray) -> np.ndarray:
        """Return the slopes of the residuals, as if the correction turned by little."""
        to_x, to_y, to_z = slopes = np.nan_to_num(self._slopes(correction)[:, self.inside])
        x, y, z = self.arms_mm / self.radius_mm
        turns = [y * to_z - z * to_y, z * to_x - x * to_z, x * to_y - y * to_x]
        return np.stack([*turns, *slopes], axis=1)

    def _seen(self, correction: np.ndarray) -> np.ndarray:
        """Return moving values (z, y, x) at fixed voxels; NaN outside the moving image."""
        pose = self.pose(correction)
        seen = sitk.Resample(self.moving, self.fixed, pose, sitk.sitkLinear, np.nan)
        return sitk.GetArrayFromImage(seen)

    def _slopes(self, correction: np.ndarray) -> np.ndarray:
        """Return the slopes (3, z, y, x) of these along x, y, z, per mm: central differences."""
        along_axes = np.stack(np.gradient(self._seen(correction))[::-1])
        return np.einsum("ji,j...->i...", np.linalg.inv(_steps_mm(self.fixed)), along_axes)


def _points_mm(image: sitk.Image) -> np.ndarray:
    """Places (3, z, y, x) of all voxels, in mm LPS."""
    indices = np.indices(image.GetSize()[::-1])[::-1]
    origin = np.reshape(image.GetOrigin(), (3, 1, 1, 1))
    return np.einsum("ij,j...->i...", _steps_mm(image), indices) + origin


def _steps_mm(image: sitk.Image) -> np.ndarray:
    """Matrix (3, 3) whose columns lead from a voxel to the next along each axis, in mm LPS."""
    return np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
