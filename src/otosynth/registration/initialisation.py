"""Initial pose of a pair: from a transform file or from paired landmarks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from otosynth.errors import InputError
from otosynth.registration.geometry import linear_part, rigid_transform
from otosynth.registration.landmarks import read_landmarks

TRANSFORM_SUFFIXES = (".tfm", ".txt", ".h5", ".hdf5", ".mat")
LANDMARK_SUFFIXES = (".fcsv", ".mrk.json")

# Landmarks are set by hand to a few tenths of a millimetre; worse means they do not correspond.
WORST_LANDMARK_RESIDUAL_MM = 2.0


def read_initial_transform(paths: Sequence[Path], specimen: str) -> sitk.Euler3DTransform:
    """Read the initial pose of a specimen (method.md section 3).

    Parameters
    ----------
    paths : one ITK transform file, or two 3D Slicer landmark files, CT first, then micro-CT
    specimen : name used in messages

    Returns
    -------
    sitk.Euler3DTransform
        Takes a micro-CT point to a CT point, in mm LPS.

    Raises
    ------
    InputError
        A file is missing, unreadable or of another kind; the transform is not rigid; landmarks
        are unpaired, fewer than three, on one line, or do not correspond.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{specimen}: the initial transform {path} does not exist.")
    names = [path.name.lower() for path in paths]
    if len(paths) == 1 and names[0].endswith(TRANSFORM_SUFFIXES):
        return _read_transform(paths[0], specimen)
    if len(paths) == 2 and all(name.endswith(LANDMARK_SUFFIXES) for name in names):
        return _pose_from_landmarks(paths[0], paths[1], specimen)
    raise InputError(
        f"{specimen}: initial_transform must be one ITK transform "
        f"({', '.join(TRANSFORM_SUFFIXES)}) or two landmark files "
        f"({', '.join(LANDMARK_SUFFIXES)}), CT first, then micro-CT; "
        f"found {', '.join(path.name for path in paths)}."
    )


def _read_transform(path: Path, specimen: str) -> sitk.Euler3DTransform:
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{specimen}: {path} cannot be read as an ITK transform. "
            "Write it with ITK, SimpleITK or 3D Slicer."
        ) from error
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputError(f"{specimen}: {path} is not a rigid transform in three dimensions.")
    matrix, offset = linear_part(transform)
    orthogonal = np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-4)
    if not orthogonal or np.linalg.det(matrix) < 0:
        raise InputError(
            f"{specimen}: {path} scales, shears or mirrors. The initial transform of a pair of "
            "scans of one ear must be rigid."
        )
    return rigid_transform(matrix, np.zeros(3), offset)


def _pose_from_landmarks(ct_path: Path, microct_path: Path, specimen: str) -> sitk.Euler3DTransform:
    ct_points, microct_points = _paired(ct_path, microct_path, specimen)
    ct_centre, microct_centre = ct_points.mean(axis=0), microct_points.mean(axis=0)
    for path, points in ((ct_path, ct_points), (microct_path, microct_points)):
        _refuse_collinear(points, path, specimen)
    rotation, distance = Rotation.align_vectors(
        ct_points - ct_centre, microct_points - microct_centre
    )
    residual_mm = distance / np.sqrt(len(ct_points))
    if residual_mm > WORST_LANDMARK_RESIDUAL_MM:
        raise InputError(
            f"{specimen}: the landmarks of {ct_path.name} and {microct_path.name} do not "
            f"correspond: after the best rigid alignment they are {residual_mm:.1f} mm apart. "
            "Check their labels."
        )
    return rigid_transform(rotation.as_matrix(), microct_centre, ct_centre)


def _paired(ct_path: Path, microct_path: Path, specimen: str) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) of both files, in the order of their common labels."""
    ct, microct = read_landmarks(ct_path, specimen), read_landmarks(microct_path, specimen)
    unpaired = sorted(set(ct) ^ set(microct))
    if unpaired:
        raise InputError(
            f"{specimen}: the landmarks {', '.join(unpaired)} are in only one of {ct_path.name} "
            f"and {microct_path.name}. Landmarks are paired by their label."
        )
    if len(ct) < 3:
        raise InputError(
            f"{specimen}: {ct_path.name} and {microct_path.name} hold {len(ct)} pairs of "
            "landmarks; a pose needs at least three."
        )
    labels = sorted(ct)
    return np.array([ct[name] for name in labels]), np.array([microct[name] for name in labels])


def _refuse_collinear(points: np.ndarray, path: Path, specimen: str) -> None:
    # Singular values are distances in mm from the centroid along the principal axes.
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if extent[1] < 0.02 * extent[0] or extent[0] == 0:
        raise InputError(
            f"{specimen}: the landmarks of {path.name} lie on one line, so the rotation about it "
            "is unknown. Add a landmark away from it."
        )
