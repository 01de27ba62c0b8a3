import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.atlas import (
    carry_class_map,
    carry_ct,
    locally_weighted_vote,
    majority_vote,
    register_atlas,
    staple,
)
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


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ((BONE, BONE, SOFT), BONE),
        ((AIR, AIR, SOFT), AIR),
        ((AIR, BONE), AIR),
        ((BONE, AIR, SOFT), SOFT),
        ((BONE, SOFT, BONE, SOFT), SOFT),
        ((BONE, AIR, NONE, NONE, NONE), AIR),
        ((BONE, NONE), BONE),
        ((NONE, NONE), SOFT),
    ],
)
def test_majority_and_ties(votes, winner):
    vote = majority_vote([np.full((2, 1, 1), label, dtype=np.uint8) for label in votes])
    assert vote.dtype == np.uint8
    assert vote.shape == (2, 1, 1)
    assert (vote == winner).all()


def test_class_maps_of_different_shape_or_none_are_refused():
    with pytest.raises(InputError, match="found none"):
        majority_vote([])
    with pytest.raises(InputError, match="one shape"):
        majority_vote([np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 3), np.uint8)])


def test_a_ct_has_no_values_outside_itself():
    ct = sitk.GetImageFromArray(np.full((4, 4, 4), 300.0, dtype=np.float32))
    target = sitk.Image([4, 4, 4], sitk.sitkFloat32)
    shift = sitk.TranslationTransform(3, (2.0, 0.0, 0.0))

    carried = sitk.GetArrayFromImage(carry_ct(ct, shift, target))

    assert carried.dtype == np.float32
    assert (carried[:, :, :2] == 300).all()
    assert np.isnan(carried[:, :, 2:]).all()


def volumes(*values, shape=(6, 6, 6)):
    return [np.full(shape, value, np.float32) for value in values]


def maps(*labels, shape=(6, 6, 6)):
    return [np.full(shape, label, np.uint8) for label in labels]


def test_one_atlas_that_looks_like_the_target_outvotes_two_that_do_not():
    (target,) = volumes(100)
    fused = locally_weighted_vote(maps(BONE, AIR, AIR), volumes(110, 900, -700), target, 1)
    assert fused.dtype == np.uint8
    assert (fused == BONE).all()
    # As alike as each other, the majority wins again.
    fused = locally_weighted_vote(maps(BONE, AIR, AIR), volumes(200, 200, 200), target, 1)
    assert (fused == AIR).all()


def test_weights_are_inverse_mean_squared_differences():
    (target,) = volumes(0)
    # 1 / (20^2 + 1) is less than twice 1 / (28^2 + 1), and more than twice 1 / (29^2 + 1).
    for other, winner in ((28, AIR), (29, BONE)):
        cts = volumes(20, other, -other)
        assert (locally_weighted_vote(maps(BONE, AIR, AIR), cts, target, 2) == winner).all()


def test_an_atlas_is_trusted_only_where_it_looks_like_the_target():
    (target,) = volumes(0, shape=(4, 4, 20))
    left, right = target.copy(), target.copy()
    left[..., 10:], right[..., :10] = 500, 500
    fused = locally_weighted_vote(maps(BONE, AIR, shape=target.shape), [left, right], target, 1)
    assert (fused[..., :9] == BONE).all()
    assert (fused[..., 11:] == AIR).all()


def test_what_is_unknown_or_abstains_has_no_weight():
    (target,) = volumes(0)
    first, second = volumes(1, 800)
    first[..., 3:] = np.nan
    one, other = maps(BONE, AIR)
    other[0] = NONE
    fused = locally_weighted_vote([one, other], [first, second], target, 1)
    assert (fused[..., :4] == BONE).all()
    # No window from here on reaches a known voxel of the first atlas.
    assert (fused[1:, :, 4:] == AIR).all()
    assert (fused[0, :, 4:] == SOFT).all()
    silent = locally_weighted_vote(maps(NONE, NONE), volumes(0, 0), target, 1)
    assert (silent == SOFT).all()


def test_equal_weights_tie_as_in_majority_voting():
    (target,) = volumes(0)
    assert (locally_weighted_vote(maps(BONE, AIR), volumes(5, 5), target, 1) == AIR).all()
    assert (locally_weighted_vote(maps(AIR, SOFT), volumes(5, 5), target, 1) == SOFT).all()


def raters(*error_rates):
    """A truth of three classes, and votes that are wrong at random."""
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, (16, 16, 16)).astype(np.uint8)
    votes = []
    for rate in error_rates:
        wrong = random.random(truth.shape) < rate
        other = (truth + random.integers(1, 3, truth.shape)) % 3
        votes.append(np.where(wrong, other, truth).astype(np.uint8))
    return truth, votes


def test_staple_believes_one_reliable_atlas_more_than_two_unreliable_ones():
    truth, votes = raters(0.02, 0.4, 0.4)
    fused = staple(votes)
    assert fused.dtype == np.uint8
    assert (fused == truth).mean() > 0.95
    assert (majority_vote(votes) == truth).mean() < 0.87
    assert np.array_equal(fused, staple(votes))


def test_staple_without_abstentions_is_itk_s():
    _, votes = raters(0.1, 0.2, 0.3, 0.3)
    images = [sitk.GetImageFromArray(vote) for vote in votes]
    itk = sitk.GetArrayFromImage(sitk.MultiLabelSTAPLE(images, 255))
    assert (staple(votes) == itk).mean() > 0.999


def test_staple_decides_by_those_who_vote():
    truth, votes = raters(0.02, 0.4, 0.4)
    votes[0][:4] = NONE
    votes[1][:2] = NONE
    for vote in votes:
        vote[0] = NONE
    fused = staple(votes)
    assert (fused[4:] == truth[4:]).mean() > 0.95
    assert np.array_equal(fused[1], votes[2][1])
    assert (fused[0] == SOFT).all()


def test_staple_is_the_majority_where_it_has_nothing_to_go_by():
    for votes in (maps(BONE, BONE, AIR), maps(BONE, NONE), maps(NONE, NONE)):
        assert np.array_equal(staple(votes), majority_vote(votes))


def test_fusions_refuse_volumes_of_different_shape():
    target, other = np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 3), np.float32)
    (vote,) = maps(SOFT, shape=(2, 2, 2))
    with pytest.raises(InputError, match="found none"):
        staple([])
    with pytest.raises(InputError, match="one shape"):
        staple([vote, np.zeros((2, 2, 3), np.uint8)])
    with pytest.raises(InputError, match="one shape"):
        locally_weighted_vote([vote], [other], target, 1)
    with pytest.raises(InputError, match="one shape"):
        locally_weighted_vote([vote], [target], other, 1)


def test_a_rule_of_fusion_is_named_once():
    with pytest.raises(ValueError, match="twice"):
        AtlasSettings(fusions=("staple", "staple"))
    with pytest.raises(ValueError, match="at least 1 item"):
        AtlasSettings(fusions=())
