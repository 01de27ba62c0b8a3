"""Target registration error."""

import numpy as np
import SimpleITK as sitk


def target_registration_error(
    estimated: sitk.Transform, truth: sitk.Transform, points: np.ndarray
) -> np.ndarray:
    """Distances between where two transforms take the same points (method.md section 3).

    Parameters
    ----------
    estimated, truth : transforms that take a micro-CT point to a CT point
    points : (n, 3), x, y, z in mm LPS, micro-CT

    Returns
    -------
    np.ndarray
        (n,) distances in mm.
    """
    found = np.array([estimated.TransformPoint(point) for point in points.tolist()])
    known = np.array([truth.TransformPoint(point) for point in points.tolist()])
    return np.linalg.norm(found - known, axis=1)
