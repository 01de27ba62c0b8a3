"""One whole phantom ear: repeatability, classes, pose, mirroring."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.configuration.phantom import PhantomSettings
from otosynth.errors import InputError
from otosynth.phantom import STRUCTURES, PhantomEar, make_ear
from otosynth.tissues import AIR, BONE, SOFT

COARSE = PhantomSettings(spacing_mm=0.3)


@pytest.fixture(scope="module")
def ear() -> PhantomEar:
    return make_ear("P1", "right", COARSE, seed=1)


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def pose_correlation(ear: PhantomEar, pose: sitk.Transform) -> float:
    """Correlation of both scans where the CT covers the micro-CT under a pose."""
    moved = array(sitk.Resample(ear.ct, ear.microct, pose, sitk.sitkLinear, -5000.0))
    covered = moved > -4000
    return float(np.corrcoef(moved[covered], array(ear.microct)[covered])[0, 1])


def test_same_seed_gives_same_bytes(ear: PhantomEar) -> None:
    again = make_ear("P1", "right", COARSE, seed=1)
    for name in ("microct", "ct", "labels", "structures"):
        assert array(getattr(again, name)).tobytes() == array(getattr(ear, name)).tobytes()
    assert again.pose.GetParameters() == ear.pose.GetParameters()
    assert again.centreline.tobytes() == ear.centreline.tobytes()
    assert again.box_corners.tobytes() == ear.box_corners.tobytes()


@pytest.mark.parametrize(("specimen", "seed"), [("P2", 1), ("P1", 2)])
def test_specimen_and_seed_change_the_ear(ear: PhantomEar, specimen: str, seed: int) -> None:
    other = make_ear(specimen, "right", COARSE, seed=seed)
    assert (array(other.labels) != array(ear.labels)).mean() > 0.05
    assert other.pose.GetParameters() != ear.pose.GetParameters()


def test_types_and_grids(ear: PhantomEar) -> None:
    assert ear.microct.GetPixelID() == sitk.sitkFloat32
    assert ear.labels.GetPixelID() == ear.structures.GetPixelID() == sitk.sitkUInt8
    for image in (ear.labels, ear.structures):
        assert image.GetOrigin() == ear.microct.GetOrigin()
        assert image.GetSpacing() == ear.microct.GetSpacing() == (0.3, 0.3, 0.3)
        assert image.GetSize() == ear.microct.GetSize() == (50, 50, 50)
    assert ear.ct.GetSpacing() == (0.3, 0.3, 0.3)
    assert not np.allclose(ear.ct.GetOrigin(), ear.microct.GetOrigin(), atol=5.0)


def test_classes_are_a_realistic_mix(ear: PhantomEar) -> None:
    labels = array(ear.labels)
    assert set(np.unique(labels)) == {AIR, SOFT, BONE}
    air, soft, bone = (float((labels == k).mean()) for k in (AIR, SOFT, BONE))
    assert 0.05 < air < 0.30
    # Marrow, mucosa and small canals: half as much again as the fluids, nerves and vessels alone.
    assert 0.20 < soft < 0.42
    assert bone > 0.4


def test_both_scans_tell_the_classes_apart(ear: PhantomEar) -> None:
    labels = array(ear.labels)
    on_grid = sitk.Resample(ear.ct, ear.microct, ear.pose, sitk.sitkLinear, -5000.0)
    for scan in (array(ear.microct), array(on_grid)):
        seen = scan > -4000
        air, soft, bone = (np.median(scan[seen & (labels == k)]) for k in (AIR, SOFT, BONE))
        assert air < soft < bone
    assert array(ear.ct).min() >= -1024


def test_structures_inside_the_field_of_view_are_all_there(ear: PhantomEar) -> None:
    present = set(np.unique(array(ear.structures)))
    outside = {"ear_canal", "tympanic_membrane", "cranial_cavity", "filled_cells"}
    assert {v for name, v in STRUCTURES.items() if name not in outside} <= present


def test_pose_maps_microct_onto_ct(ear: PhantomEar) -> None:
    exact = pose_correlation(ear, ear.pose)
    assert exact > 0.9
    for axis in range(3):
        for angle, shift in ((0.0, 0.4), (np.deg2rad(5.0), 0.0)):
            parameters = list(ear.pose.GetParameters())
            parameters[axis] += angle
            parameters[3 + axis] += shift
            moved = sitk.Euler3DTransform(ear.pose)
            moved.SetParameters(parameters)
            assert pose_correlation(ear, moved) < exact - 0.01


def test_pose_stays_within_its_bounds() -> None:
    settings = PhantomSettings(
        spacing_mm=0.6, ct_spacing_mm=0.6, max_rotation_deg=5.0, max_translation_mm=1.0
    )
    ear = make_ear("P3", "right", settings, seed=4)
    matrix = np.array(ear.pose.GetMatrix()).reshape(3, 3)
    angle = np.rad2deg(np.arccos((np.trace(matrix) - 1.0) / 2.0))
    assert 1.4 < angle < 5.01
    size = np.array(ear.ct.GetSize())
    middle = np.array(ear.ct.TransformContinuousIndexToPhysicalPoint(list((size - 1) / 2.0)))
    assert np.linalg.norm(np.array(ear.pose.TransformPoint((0.0, 0.0, 0.0))) - middle) < 1.01


def test_left_is_the_mirror_image_of_right(ear: PhantomEar) -> None:
    left = make_ear("P1", "left", COARSE, seed=1)
    assert np.array_equal(array(left.labels)[:, :, ::-1], array(ear.labels))
    assert np.allclose(left.centreline * [-1, 1, 1], ear.centreline)
    assert pose_correlation(left, left.pose) > 0.9


def test_centreline_runs_through_the_cochlea(ear: PhantomEar) -> None:
    duct = {
        STRUCTURES[n]
        for n in ("scala_tympani", "scala_vestibuli", "spiral_lamina", "basilar_membrane")
    }
    indices = [ear.structures.TransformPhysicalPointToIndex(p) for p in ear.centreline.tolist()]
    inside = [ear.structures[i] in duct for i in indices]
    assert np.mean(inside) > 0.95
    low, high = ear.box_corners.min(axis=0), ear.box_corners.max(axis=0)
    assert ((ear.centreline > low) & (ear.centreline < high)).all()
    assert np.abs(ear.box_corners).max() < 0.5 * COARSE.size_mm


def test_unknown_side_is_refused() -> None:
    with pytest.raises(InputError, match=r"P1.*'rechts'.*'left' or 'right'"):
        make_ear("P1", "rechts", COARSE, seed=1)
