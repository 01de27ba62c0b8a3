"""Free-form deformation by cubic B-splines (Rueckert 1999) that maximises the correlation.

What ITK's registration would do with its B-spline transform and correlation metric, which for every
voxel visits every coefficient. The basis is a product of one along each axis, so that here all
displacements, and the gradient of all coefficients, are three small products each.
"""

import math

import numpy as np
import SimpleITK as sitk
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize

# The optimiser ends when the squared correlation rises by less than this.
SMALLEST_RISE = 2e-7


def fit_bspline(
    fixed: sitk.Image,
    moving: sitk.Image,
    fixed_mask: sitk.Image,
    moving_mask: sitk.Image,
    mesh: list[int],
    iterations: int,
    max_samples: int,
    seed: int,
) -> sitk.BSplineTransform:
    """Deform one image onto another of the same grid.

    Parameters
    ----------
    fixed, moving : images of one grid, float32
    fixed_mask, moving_mask : voxels that count (non-zero), on that grid
    mesh : cells of the B-spline along x, y, z
    iterations : most iterations of L-BFGS
    max_samples, seed : of more voxels than this in the fixed mask, a random part is used

    Returns
    -------
    sitk.BSplineTransform
        Takes a fixed point to a moving point, in mm LPS.
    """
    transform = _identity(fixed, mesh)
    used = np.flatnonzero(sitk.GetArrayViewFromImage(fixed_mask))
    if len(used) > max_samples:
        used = np.sort(np.random.default_rng(seed).choice(used, max_samples, replace=False))
    problem = _Problem(fixed, moving, moving_mask, transform, used)
    found = minimize(
        problem.value_and_gradient,
        np.zeros(len(transform.GetParameters())),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": SMALLEST_RISE},
    )
    transform.SetParameters(found.x.tolist())
    return transform


class _Problem:
    """Negative squared correlation as a function of the B-spline's coefficients, in mm."""

    def __init__(
        self,
        fixed: sitk.Image,
        moving: sitk.Image,
        moving_mask: sitk.Image,
        transform: sitk.BSplineTransform,
        used: np.ndarray,
    ) -> None:
        self.shape = fixed.GetSize()[::-1]
        self.used = used
        self.indices = np.array(np.unravel_index(used, self.shape), dtype=np.float64)
        self.fixed = sitk.GetArrayFromImage(fixed).ravel()[used].astype(np.float64)
        self.moving = sitk.GetArrayFromImage(moving).astype(np.float64)
        self.moving_mask = (sitk.GetArrayFromImage(moving_mask) > 0).astype(np.uint8)
        # One component of the gradient along each axis of the array.
        self.slopes = np.gradient(self.moving)
        self.bases = _bases(fixed, transform.GetCoefficientImages()[0])
        # From millimetres x, y, z to voxels z, y, x.
        direction = np.reshape(fixed.GetDirection(), (3, 3))
        self.to_voxels = np.linalg.inv(direction * fixed.GetSpacing())[::-1]

    def value_and_gradient(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Value, and its derivative (3 k,) by the coefficients (x, y, z in turn)."""
        z, y, x = self.bases
        coefficients = parameters.reshape(3, z.shape[1], y.shape[1], x.shape[1])
        shift_mm = _along_axes(coefficients, z, y, x).reshape(3, -1)[:, self.used]
        places = self.indices + np.einsum("ij,jn->in", self.to_voxels, shift_mm)
        value, force = self._correlation(places)
        by_index = [force * map_coordinates(slope, places, order=1) for slope in self.slopes]
        by_mm = np.zeros((3, math.prod(self.shape)))
        by_mm[:, self.used] = np.einsum("ij,in->jn", self.to_voxels, np.array(by_index))
        return value, _along_axes(by_mm.reshape(3, *self.shape), z.T, y.T, x.T).ravel()

    def _correlation(self, places: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative squared correlation, and its derivative by each voxel's moving value."""
        inside = map_coordinates(self.moving_mask, places, order=0) > 0
        if not inside.any():
            return 0.0, np.zeros(inside.shape)
        moved = map_coordinates(self.moving, places, order=1)
        fixed = np.where(inside, self.fixed - self.fixed[inside].mean(), 0.0)
        moved = np.where(inside, moved - moved[inside].mean(), 0.0)
        product, squares = np.sum(fixed * moved), np.sum(moved**2)
        scale = product / max(np.sum(fixed**2) * squares, np.finfo(float).tiny)
        slope = product / max(squares, np.finfo(float).tiny)
        return float(-scale * product), -2 * scale * (fixed - slope * moved)


def _identity(image: sitk.Image, mesh: list[int]) -> sitk.BSplineTransform:
    """B-spline transform over an image's field of view, along its axes, of no displacement."""
    transform = sitk.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin(image.TransformContinuousIndexToPhysicalPoint([-0.5] * 3))
    transform.SetTransformDomainPhysicalDimensions(
        [size * step for size, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    )
    transform.SetTransformDomainDirection(image.GetDirection())
    transform.SetTransformDomainMeshSize(mesh)
    return transform


def _bases(image: sitk.Image, coefficients: sitk.Image) -> list[np.ndarray]:
    """Cubic B-splines of the control points at the voxels, (voxels, points) along z, y, x."""
    direction = np.reshape(image.GetDirection(), (3, 3))
    offset_mm = direction.T @ (np.array(image.GetOrigin()) - coefficients.GetOrigin())
    kernel = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    bases = []
    for axis in (2, 1, 0):
        voxels_mm = offset_mm[axis] + np.arange(image.GetSize()[axis]) * image.GetSpacing()[axis]
        points = np.arange(coefficients.GetSize()[axis])
        distances = voxels_mm[:, None] / coefficients.GetSpacing()[axis] - points
        bases.append(np.nan_to_num(kernel(distances)))  # NaN beyond its support
    return bases


def _along_axes(values: np.ndarray, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Multiply (3, k, j, i) by a matrix along each of the last three axes.

    By einsum, whose order of summation does not depend on the number of threads.
    """
    values = np.einsum("ckji,xi->ckjx", values, x)
    values = np.einsum("ckjx,yj->ckyx", values, y)
    return np.einsum("ckyx,zk->czyx", values, z)
