import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.atlas import carry_class_map, carry_ct, placement, register_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.errors import InputError

AIR, SOFT, BONE, NONE = 0, 1, 2, 255


def ear(bend_mm=0.0, cheek_mm=2.0):
    """CT (HU) and class map of a bony block with two air cells; 9.6 mm cube, no symmetry."""
    n, spacing_mm = 32, 0.3
    axis = (np.arange(n) - (n - 1) / 2) * spacing_mm
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    y = y + bend_mm * np.sin(x / 2)
    classes = np.full((n, n, n), SOFT, dtype=np.uint8)
    classes[(x - 0.5) ** 2 / 9 + (y + 0.4) ** 2 / 14 + (z / 2.5) ** 2 < 1] = BONE
    classes[(x - 1) ** 2 + y**2 + (z - 0.5) ** 2 < 0.8] = SOFT
    classes[(x + 1.5) ** 2 + (y - 2) ** 2 + (z - 1) ** 2 < cheek_mm] = AIR
    classes[(x - 2.8) ** 2 + (y - 1) ** 2 + (z + 2) ** 2 < 0.8] = AIR
    hu = np.choose(classes, [-1000.0, 0.0, 1200.0])
    hu += np.random.default_rng(int(100 * cheek_mm)).normal(0, 30, hu.shape)
    ct, class_map = sitk.GetImageFromArray(hu.astype(np.float32)), sitk.GetImageFromArray(classes)
    for image in (ct, class_map):
        image.SetSpacing([spacing_mm] * 3)
    return sitk.SmoothingRecursiveGaussian(ct, 0.2), class_map


def turned(ct, class_map, degrees):
    """Turn both images about the middle of the first."""
    pose = sitk.Euler3DTransform()
    pose.SetCenter(ct.TransformContinuousIndexToPhysicalPoint([15.5] * 3))
    pose.SetRotation(np.deg2rad(degrees), 0.0, np.deg2rad(degrees / 2))
    return (
        sitk.Resample(ct, ct, pose, sitk.sitkLinear, 0.0),
        sitk.Resample(class_map, ct, pose, sitk.sitkNearestNeighbor, SOFT),
    )


def dice(found, truth, label):
    found, truth = found == label, truth == label
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


SETTINGS = AtlasSettings(candidates=3, iterations=10)


def test_a_turned_and_bent_atlas_is_brought_onto_the_target():
    target_ct, truth = ear()
    atlas_ct, atlas_classes = turned(*ear(bend_mm=0.5, cheek_mm=2.5), degrees=30)
    mask = sitk.Cast(target_ct > -1e9, sitk.sitkUInt8)

    transform = register_atlas(target_ct, atlas_ct, SETTINGS, 0, mask, mask)
    again = register_atlas(target_ct, atlas_ct, SETTINGS, 0, mask, mask)

    found = sitk.GetArrayFromImage(carry_class_map(atlas_classes, transform, target_ct))
    truth = sitk.GetArrayFromImage(truth)
    unmoved = sitk.GetArrayFromImage(atlas_classes)
    assert dice(unmoved, truth, BONE) < 0.85
    assert dice(found, truth, BONE) > 0.9
    assert dice(found, truth, AIR) > 0.8
    point = (3.0, 4.0, 5.0)
    assert transform.TransformPoint(point) == again.TransformPoint(point)


def test_an_atlas_that_cannot_cover_the_target_is_refused():
    target_ct, _ = ear()
    with pytest.raises(InputError, match="no pose covers 50 % of it"):
        register_atlas(target_ct, target_ct[:8, :8, :8], SETTINGS, 0)


def test_a_class_map_casts_no_vote_outside_itself():
    class_map = sitk.GetImageFromArray(np.full((4, 4, 4), BONE, dtype=np.uint8))
    target = sitk.Image([4, 4, 4], sitk.sitkFloat32)
    shift = sitk.TranslationTransform(3, (2.0, 0.0, 0.0))

    carried = sitk.GetArrayFromImage(carry_class_map(class_map, shift, target))

    assert carried.dtype == np.uint8
    assert (carried[:, :, :2] == BONE).all()
    assert (carried[:, :, 2:] == NONE).all()


def test_a_ct_has_no_values_outside_itself():
    ct = sitk.GetImageFromArray(np.full((4, 4, 4), 300.0, dtype=np.float32))
    target = sitk.Image([4, 4, 4], sitk.sitkFloat32)
    shift = sitk.TranslationTransform(3, (2.0, 0.0, 0.0))

    carried = sitk.GetArrayFromImage(carry_ct(ct, shift, target))

    assert carried.dtype == np.float32
    assert (carried[:, :, :2] == 300).all()
    assert np.isnan(carried[:, :, 2:]).all()


def test_a_rule_of_fusion_is_named_once():
    with pytest.raises(ValueError, match="twice"):
        AtlasSettings(fusions=("staple", "staple"))
    with pytest.raises(ValueError, match="at least 1 item"):
        AtlasSettings(fusions=())


def test_the_placement_of_a_moved_part_is_its_overlap_and_distance():
    own, carried = np.zeros((2, 8, 4, 4), np.uint8)
    own[2:6] = 1
    carried[4:8] = 1

    found = placement(own, carried, (0.5, 1.0, 1.0))

    assert found["dice"] == pytest.approx(0.5)
    assert found["offset_mm"] == pytest.approx(1.0)
    assert np.isnan(placement(own, np.full(own.shape, NONE, np.uint8), (1.0, 1.0, 1.0))["dice"])
