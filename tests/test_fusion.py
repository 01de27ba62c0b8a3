import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.fusion import locally_weighted_vote, majority_vote, staple

AIR, SOFT, BONE, NONE = 0, 1, 2, 255


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
