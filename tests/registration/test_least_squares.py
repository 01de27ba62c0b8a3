"""The same grey values under a small known motion, found again by least squares."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter

from otosynth.registration.geometry import centre_of, corners_of, rigid_transform
from otosynth.registration.least_squares import _Problem, align_least_squares
from otosynth.registration.preparation import thinned
from otosynth.registration.target_error import target_registration_error

CENTRE_MM = np.array([3.0, -1.0, 8.0])


def image_of(array, spacing_mm):
    """An image round ``CENTRE_MM``, its axes turned against the world's."""
    image = sitk.GetImageFromArray(np.asarray(array, np.float32))
    direction = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    half_mm = (np.array(image.GetSize()) - 1) / 2 * spacing_mm
    image.SetSpacing([spacing_mm] * 3)
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((CENTRE_MM - direction @ half_mm).tolist())
    return image


def blobs(sigma_mm):
    random = np.random.default_rng(4)
    return image_of(gaussian_filter(random.normal(0, 4000, (44, 44, 44)), sigma_mm / 0.2), 0.2)


@pytest.fixture(scope="module")
def moving():
    return blobs(0.5)


def motion(degrees, shift_mm):
    """A turn about an oblique axis through the centre, and a shift."""
    turn = sitk.VersorRigid3DTransform()
    turn.SetRotation((1.0, -2.0, 0.5), np.deg2rad(degrees))
    return rigid_transform(np.reshape(turn.GetMatrix(), (3, 3)), CENTRE_MM, CENTRE_MM + shift_mm)


def scan_of(moving, truth, noise):
    grid = image_of(np.zeros((24, 24, 24)), 0.4)
    seen = sitk.Resample(moving, grid, truth, sitk.sitkLinear, 0.0)
    random = np.random.default_rng(5)
    return sitk.Cast(seen + image_of(random.normal(0, noise, (24, 24, 24)), 0.4), sitk.sitkFloat32)


@pytest.mark.parametrize("start", [motion(0, (0, 0, 0)), motion(4, (0.5, 0.2, -0.3))])
def test_a_motion_of_a_voxel_is_found(moving, start):
    truth = motion(2, (0.2, -0.1, 0.15))
    fixed = scan_of(moving, truth, noise=5)
    before = target_registration_error(start, truth, corners_of(moving)).mean()
    found = align_least_squares(fixed, moving, start)
    after = target_registration_error(found, truth, corners_of(moving)).mean()
    assert before > 0.2
    assert after < 0.005
    np.testing.assert_allclose(found.GetCenter(), centre_of(fixed))


def test_it_is_repeatable_to_the_last_digit(moving):
    fixed = scan_of(moving, motion(2, (0.2, -0.1, 0.15)), noise=50)
    one, two = (align_least_squares(fixed, moving, motion(0, (0, 0, 0))) for _ in range(2))
    assert one.GetParameters() == two.GetParameters()


def test_images_apart_are_left_where_they_are(moving):
    apart = motion(0, (50.0, 0, 0))
    found = align_least_squares(scan_of(moving, motion(0, (0, 0, 0)), 5), moving, apart)
    assert found.TransformPoint((1.0, 2.0, 3.0)) == pytest.approx(
        apart.TransformPoint((1.0, 2.0, 3.0))
    )


def test_what_leaves_the_moving_image_counts_as_explained(moving):
    problem = _Problem(scan_of(moving, motion(0, (0, 0, 0)), 5), moving, motion(0, (0, 0, 0)))
    far = problem.residuals(np.array([0.0, 0, 0, 2.0, 0, 0]))
    assert np.isfinite(far).all()
    assert 0.1 < np.mean(far == 0) < 0.9


def test_the_slopes_are_those_of_the_residuals():
    """To some percent: they are differences of neighbours on the fixed image's grid."""
    smooth = blobs(2.0)
    problem = _Problem(scan_of(smooth, motion(0, (0, 0, 0)), 0), smooth, motion(3, (0.1, 0, 0)))
    slopes = problem.jacobian(np.zeros(6))
    for axis, step in enumerate(0.02 * np.eye(6)):
        before, after = problem.residuals(-step), problem.residuals(step)
        stays = (before != 0) & (after != 0)
        measured = ((after - before) / 0.04)[stays]
        difference = slopes[stays, axis] - measured
        assert stays.mean() > 0.8
        assert np.linalg.norm(difference) < 0.05 * np.linalg.norm(measured)


def test_thinned_images_keep_to_the_number_of_voxels():
    image = image_of(np.zeros((20, 30, 40)), 0.4)
    assert thinned(image, 24_000).GetSize() == image.GetSize()
    few = thinned(image, 9000)
    assert few.GetSize() == (20, 15, 20)
    assert few.GetSpacing() == pytest.approx((0.8, 0.8, 0.4))
    assert few.GetOrigin() == image.GetOrigin()
