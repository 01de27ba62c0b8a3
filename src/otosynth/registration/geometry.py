"""Rigid transforms: from any linear transform, inverted, and as Euler angles."""

import numpy as np
import SimpleITK as sitk


def centre_of(image: sitk.Image) -> np.ndarray:
    """Physical centre (3,) of an image's grid, x, y, z in mm LPS."""
    middle = [(size - 1) / 2 for size in image.GetSize()]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(middle))


def corners_of(image: sitk.Image) -> np.ndarray:
    """Eight outer corners (8, 3) of an image's field of view, in mm."""
    size = np.array(image.GetSize())
    return np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint((np.array(corner) * size - 0.5).tolist())
            for corner in np.ndindex(2, 2, 2)
        ]
    )


def voxel_size_mm(image: sitk.Image) -> float:
    """Side in mm of the cube with the volume of one voxel."""
    return float(np.prod(image.GetSpacing()) ** (1 / 3))


def linear_part(transform: sitk.Transform) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3, 3) and offset (3,) in mm of a linear transform: ``y = matrix @ x + offset``."""
    offset = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(axis))) - offset for axis in np.eye(3)]
    return np.stack(columns, axis=1), offset


def rigid_transform(
    rotation: np.ndarray, centre_mm: np.ndarray, image_of_centre_mm: np.ndarray
) -> sitk.Euler3DTransform:
    """Rigid transform with ``rotation`` (3, 3) about ``centre_mm``, which it takes to the third."""
    # The nearest exact rotation, since ITK refuses a matrix that is orthogonal only to rounding.
    left, _, right = np.linalg.svd(rotation)
    transform = sitk.Euler3DTransform()
    transform.SetCenter([float(value) for value in centre_mm])
    transform.SetMatrix((left @ right).ravel().tolist())
    transform.SetTranslation((np.asarray(image_of_centre_mm) - np.asarray(centre_mm)).tolist())
    return transform


def as_euler(transform: sitk.Transform, centre_mm: np.ndarray) -> sitk.Euler3DTransform:
    """Write a rigid transform of any type as Euler angles about ``centre_mm`` (3,)."""
    matrix, offset = linear_part(transform)
    return rigid_transform(matrix, centre_mm, matrix @ centre_mm + offset)


def inverse_of(transform: sitk.Transform, centre_mm: np.ndarray) -> sitk.Euler3DTransform:
    """Inverse of a rigid transform, as Euler angles about ``centre_mm`` (3,)."""
    matrix, offset = linear_part(transform)
    return rigid_transform(matrix.T, centre_mm, matrix.T @ (centre_mm - offset))
