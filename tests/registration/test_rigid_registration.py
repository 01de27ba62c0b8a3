"""Poses recovered on small synthetic ears whose shape has no symmetry."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.registration import register_rigid, target_registration_error
from otosynth.registration.search import find_poses, rotations_to_try
from otosynth.volumes.volume import Volume

SETTINGS = RegistrationSettings(candidates=4)


def image_of(array, spacing_mm, origin=(0.0, 0.0, 0.0)):
    image = sitk.GetImageFromArray(np.asarray(array, dtype=np.float32))
    image.SetSpacing([spacing_mm] * 3)
    image.SetOrigin(origin)
    return image


@pytest.fixture(scope="module")
def microct():
    """Attenuation of a bony block with air cells, a spiral duct and a shell: 9.6 mm cube."""
    n, spacing_mm = 48, 0.2
    axis = (np.arange(n) - (n - 1) / 2) * spacing_mm
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    tissue = np.full((n, n, n), 0.02)
    tissue[(x - 0.5) ** 2 / 9 + (y + 0.4) ** 2 / 14 + (z / 2.5) ** 2 < 1] = 0.07
    for theta in np.linspace(0.2, 4 * np.pi, 60):
        radius = 2.4 - 0.15 * theta
        centre = radius * np.cos(theta), radius * np.sin(theta), 0.15 * theta - 1
        distance2 = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
        tissue[distance2 < 0.16] = 0.02
    tissue[(x + 2.5) ** 2 + (y - 2.5) ** 2 + (z - 1.5) ** 2 < 1.5] = 0.0
    tissue[(x - 2.8) ** 2 + (y - 1) ** 2 + (z + 2) ** 2 < 0.8] = 0.0
    noise = np.random.default_rng(1).normal(0, 0.001, tissue.shape)
    return image_of(tissue + noise, spacing_mm, (3.0, -2.0, 10.0))


def pose_of(microct, axis, degrees, centre_in_ct_mm):
    centre = np.array(microct.TransformContinuousIndexToPhysicalPoint([23.5] * 3))
    versor = sitk.VersorRigid3DTransform()
    versor.SetRotation(axis, np.deg2rad(degrees))
    pose = sitk.Euler3DTransform()
    pose.SetCenter(centre.tolist())
    pose.SetMatrix(versor.GetMatrix())
    pose.SetTranslation((np.array(centre_in_ct_mm) - centre).tolist())
    return pose


def ct_of(microct, pose, seed=2):
    """The CT of a micro-CT under a pose: 0.55 mm blur, 0.4 mm voxels, HU, noise of 30 HU."""
    hu = sitk.SmoothingRecursiveGaussian(microct / 0.02 * 1000 - 1000, 0.55 / 2.355)
    grid = ([26] * 3, pose.GetInverse(), sitk.sitkLinear, [-65.0, 35.0, 75.0], [0.4] * 3)
    ct = sitk.Resample(hu, *grid, np.eye(3).ravel().tolist(), -1000.0)
    noise = np.random.default_rng(seed).normal(0, 30, (26, 26, 26))
    return image_of(sitk.GetArrayFromImage(ct) + noise, 0.4, (-65.0, 35.0, 75.0))


def targets(microct):
    corners = np.array(list(np.ndindex(2, 2, 2))) * 31 + 8
    return np.array([microct.TransformIndexToPhysicalPoint(c.tolist()) for c in corners])


def test_a_turn_of_40_degrees_is_found_without_initial_transform(microct):
    truth = pose_of(microct, (1.0, -2.0, 0.5), 40, (-59.5, 40.3, 79.6))
    ct = ct_of(microct, truth)

    found = register_rigid(Volume.of(microct), ct, SETTINGS, None, seed=0)
    again = register_rigid(Volume.of(microct), ct, SETTINGS, None, seed=0)

    errors_mm = target_registration_error(found.transform, truth, targets(microct))
    assert errors_mm.max() < 0.02
    assert found.initialisation == "automatic search"
    assert found.transform.GetParameters() == again.transform.GetParameters()
    assert found.transform.GetCenter() == again.transform.GetCenter()
    assert list(found.trace.columns) == ["stage", "level", "iteration", "metric"]
    assert list(found.trace["stage"].unique()) == ["coarse", "expected CT"]
    assert found.trace.equals(again.trace)


def test_a_rough_initial_transform_is_improved(microct):
    truth = pose_of(microct, (0.0, 0.0, 1.0), 100, (-59.5, 40.3, 79.6))
    rough = pose_of(microct, (0.05, 0.0, 1.0), 104, (-59.1, 40.0, 79.9))

    found = register_rigid(
        Volume.of(microct),
        ct_of(microct, truth),
        SETTINGS,
        rough,
        seed=0,
        initialisation="landmarks",
    )

    points = targets(microct)
    assert target_registration_error(rough, truth, points).max() > 0.5
    assert target_registration_error(found.transform, truth, points).max() < 0.02
    assert found.initialisation == "landmarks"


def test_a_large_ct_is_sampled_with_the_given_seed(microct):
    truth = pose_of(microct, (0.0, 0.0, 1.0), 5, (-59.5, 40.3, 79.6))
    ct, sampled = ct_of(microct, truth), RegistrationSettings(max_samples=1000)

    first, again, other = (
        register_rigid(Volume.of(microct), ct, sampled, truth, seed).transform for seed in (3, 3, 4)
    )

    assert first.GetParameters() == again.GetParameters()
    assert first.GetParameters() != other.GetParameters()
    assert target_registration_error(other, truth, targets(microct)).max() < 0.05


def test_an_initial_transform_that_keeps_the_scans_apart_is_refused(microct):
    truth = pose_of(microct, (0.0, 0.0, 1.0), 5, (-59.5, 40.3, 79.6))
    elsewhere = pose_of(microct, (0.0, 0.0, 1.0), 5, (59.5, 40.3, 79.6))

    with pytest.raises(InputError, match="covers 0 % of the micro-CT"):
        register_rigid(Volume.of(microct), ct_of(microct, truth), SETTINGS, elsewhere, seed=0)


def test_a_ct_that_is_too_small_is_refused(microct):
    truth = pose_of(microct, (0.0, 0.0, 1.0), 5, (-59.5, 40.3, 79.6))
    sliver = ct_of(microct, truth)[:, :, 10:14]

    with pytest.raises(InputError, match="no pose in which the CT covers"):
        register_rigid(Volume.of(microct), sliver, SETTINGS, None, seed=0)


def test_the_rotations_to_try_leave_no_gap():
    rotations = rotations_to_try(45.0, 15.0)
    rng = np.random.default_rng(0)
    versor = sitk.VersorTransform()
    for _ in range(200):
        axis = rng.normal(size=3)
        versor.SetRotation((axis / np.linalg.norm(axis)).tolist(), np.deg2rad(rng.uniform(0, 45)))
        wanted = np.array(versor.GetMatrix()).reshape(3, 3)
        cosine = (np.einsum("nij,ij->n", rotations, wanted) - 1) / 2
        assert np.rad2deg(np.arccos(min(cosine.max(), 1.0))) < 15.0
    assert np.array_equal(rotations[0], np.eye(3))
    assert len(rotations_to_try(180.0, 15.0)) > 10 * len(rotations)


def test_the_search_translation_has_the_right_sign(microct):
    truth = pose_of(microct, (0.0, 0.0, 1.0), 0, (-58.2, 41.7, 80.9))
    best = find_poses(microct, ct_of(microct, truth), np.eye(3)[None], 0.8, 0.3)[0]

    assert best.score > 0.9
    assert target_registration_error(best.pose, truth, targets(microct)).max() < 0.8
