"""A CT never seen: found, turned, mirrored, predicted and brought back; or refused."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.calibration import uncertainty
from otosynth.errors import InputError
from otosynth.inference import Ear, Prediction
from otosynth.patches import patch_corners
from otosynth.prediction import checks, predict
from otosynth.prediction.ensemble import predict_ensemble
from otosynth.prediction.placing import place, reflected
from otosynth.prediction.predict import look_at, predict_ct
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import (
    Grid,
    downsample,
    downsample_mask,
    image_like,
    mirror,
    same_grid,
)
from otosynth.volumes.measured import measured_part


@pytest.fixture(scope="module")
def placements(model, new_ear):
    """Each training ear placed in the new CT, once for all tests that look at it."""
    return place(new_ear.ct, model.references, "right")


@pytest.fixture(scope="module")
def predicted(model, new_ear):
    stages = []
    prediction = predict_ct(
        new_ear.ct, model, progress=lambda stage, done: stages.append((stage, done))
    )
    return prediction, stages


def verdicts(found):
    return {check.name: check.verdict for check in found}


def test_a_new_ear_is_found_and_predicted_on_its_own_frame(predicted, new_ear, model):
    prediction, stages = predicted
    placement = prediction.placement
    assert placement.side == "right"
    assert placement.turned_degrees < 30
    image = prediction.classmap
    assert image.GetDirection() == new_ear.ct.GetDirection()
    assert image.GetSpacing() == pytest.approx((0.5, 0.5, 0.5))
    assert set(prediction.volumes) == {
        *("microct", "microct_std", "classmap", "uncertainty", "mask", "ct", "training_ct")
    }
    assert {stage for stage, _ in stages} == {"Finding the ear", "Predicting"}
    assert stages[-1] == ("Predicting", 1.0)


def test_the_prediction_lies_where_the_ear_is(predicted, new_ear, model):
    """Found, turned and brought back, it is as good as on the micro-CT's grid by the exact pose."""
    prediction, _ = predicted
    exact = replace(
        prediction.placement,
        reference=model.references[0].facts.model_copy(update={"grid": Grid.of(new_ear.microct)}),
        pose=new_ear.pose,
    )
    ct, mask = exact.onto_training_grid(new_ear.ct)
    ear = Ear(array_of(ct), array_of(mask))
    looked = predict.Looked(exact, ct, mask, ())
    direct = predict._predict(ear, looked, model, "cpu", 1, predict.silent).microct
    best = correlation(array_of(new_ear.microct), direct, ear.mask > 0)

    back = new_ear.pose.GetInverse()
    truth = array_of(
        sitk.Resample(new_ear.microct, prediction.microct, back, sitk.sitkLinear, np.nan)
    )
    inside = array_of(prediction.volumes["mask"]) > 0
    found = array_of(prediction.microct)
    here = correlation(truth, found, inside)
    assert here > best - 0.05
    # Two voxels, 1 mm, away along any axis it fits worse.
    for away in np.concatenate([2 * np.eye(3, dtype=int), -2 * np.eye(3, dtype=int)]):
        assert correlation(np.roll(truth, away, axis=(0, 1, 2)), found, inside) < here


def correlation(truth, found, inside):
    both = inside & np.isfinite(truth)
    assert both.mean() > 0.3
    return np.corrcoef(truth[both], found[both])[0, 1]


def test_outside_the_region_nothing_is_said(predicted, model):
    prediction, _ = predicted
    outside = array_of(prediction.volumes["mask"]) == 0
    assert outside.any()
    assert (array_of(prediction.classmap)[outside] == 0).all()
    assert array_of(prediction.microct)[outside] == pytest.approx(0)
    spread = array_of(prediction.uncertainty)
    assert spread.min() >= 0
    assert spread.max() <= 1


def test_the_mirrored_ear_is_told_and_gives_the_mirrored_prediction(predicted, new_ear, model):
    prediction, _ = predicted
    # Voxels flipped on the same grid, as the CT of a left ear would be.
    mirrored = predict_ct(mirror(new_ear.ct), model)
    assert mirrored.placement.side == "left"
    back = array_of(mirror(onto(mirrored.classmap, new_ear.ct)))
    expected = array_of(onto(prediction.classmap, new_ear.ct))
    inside = array_of(onto(prediction.volumes["mask"], new_ear.ct)) > 0
    assert (back == expected)[inside].mean() > 0.9


def onto(image, reference):
    return sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor)


def test_a_reflected_image_is_reflected_in_space(new_ear):
    point = new_ear.ct.TransformIndexToPhysicalPoint((3, 4, 5))
    again = reflected(new_ear.ct).TransformIndexToPhysicalPoint((3, 4, 5))
    assert again == pytest.approx((-point[0], point[1], point[2]))


def test_how_a_file_stores_its_voxels_changes_nothing(model, new_ear):
    """The same CT with its z index running down and x running left, as another program writes."""
    flipped = sitk.Flip(new_ear.ct, [True, False, True])
    assert flipped.GetDirection() != new_ear.ct.GetDirection()
    found = place(flipped, model.references[:1], "right", ("right",))[0]
    expected = place(new_ear.ct, model.references[:1], "right", ("right",))[0]
    point = (1.0, 2.0, 3.0)
    assert found.transform.TransformPoint(point) == pytest.approx(
        expected.transform.TransformPoint(point), abs=0.2
    )


def test_a_training_ear_is_recognised(model, studies):
    ct = sitk.ReadImage(str(studies / "tiny/phantom/T1/ct.nii.gz"), sitk.sitkFloat32)
    looked = look_at(ct, model)
    assert looked.placement.reference.ear == "T1"
    assert looked.placement.correlation > checks.MATCH_OF_ITSELF
    anatomy = next(check for check in looked.checks if check.name == "anatomy")
    assert anatomy.verdict == "warning"
    assert "was trained on" in anatomy.advice


def test_a_phantom_model_says_so(predicted):
    found = next(c for c in predicted[0].checks if c.name == "training data")
    assert found.verdict == "warning"
    assert "virtual ears only" in found.advice


@pytest.fixture
def placed_already(placements, monkeypatch):
    """The search is left out: a CT lies where the new ear does."""
    monkeypatch.setattr("otosynth.prediction.predict.place", lambda *_: placements)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ct: ct + 1024, "off by about 10[0-9][0-9], as without the rescale intercept"),
        (lambda ct: ct * 0.1, r"must be in Hounsfield units.*, without metal\.\n"),
        (lambda ct: ct - 700, r"all values are off by about -(69|70)[0-9]\.\n"),
    ],
)
@pytest.mark.usefixtures("placed_already")
def test_intensities_that_are_no_hu_are_refused(model, new_ear, change, message):
    ct = change(sitk.Cast(new_ear.ct, sitk.sitkFloat32))
    with pytest.raises(InputError, match=message):
        look_at(ct, model)
    looked = look_at(ct, model, force=True)
    assert verdicts(looked.checks)["intensities"] == "refused"


@pytest.mark.usefixtures("placed_already")
def test_the_wrong_side_is_refused(model, new_ear):
    with pytest.raises(InputError, match="matches a right ear better than a left one"):
        look_at(new_ear.ct, model, side="left")


def test_a_scan_of_anything_else_is_refused(model, new_ear):
    noise = np.random.default_rng(1).normal(0, 500, array_of(new_ear.ct).shape)
    with pytest.raises(InputError, match="does not look like an ear of the training"):
        look_at(image_like(noise.astype(np.float32), new_ear.ct), model)


def test_a_ct_that_cuts_the_ear_is_warned_of(model, new_ear, placements):
    assert 0.9 <= placements[0].covered <= 1
    looked = look_at(new_ear.ct[:, :, :-4], model, side="right")
    assert 0.6 <= looked.placement.covered < 0.9
    assert verdicts(looked.checks)["region"] == "warning"


@pytest.fixture
def padded(new_ear, placements):
    """The CT with a round field of view that cuts the ear, and what it did not see."""
    centre = placements[0].reference.grid.centre_mm.tolist()
    middle = placements[0].transform.TransformPoint(centre)
    x, y, _ = new_ear.ct.TransformPhysicalPointToContinuousIndex(middle)
    array = array_of(new_ear.ct)
    _, rows, columns = np.indices(array.shape)
    outside = np.hypot(columns - x, rows - y) * 0.6 > 8.0
    ct = image_like(np.where(outside, np.float32(-3024), array), new_ear.ct)
    return ct, image_like(outside.astype(np.float32), ct)


def test_a_round_field_of_view_is_placed_by_what_it_shows(model, new_ear, padded, placements):
    ct, measured = measured_part(padded[0])
    found = place(ct, model.references[:1], "right", ("right",), measured=measured)[0]
    expected = next(p for p in placements if p.reference == found.reference and p.side == "right")
    point = Grid.of(new_ear.microct).centre_mm.tolist()
    away = np.subtract(
        found.transform.TransformPoint(point), expected.transform.TransformPoint(point)
    )
    assert np.linalg.norm(away) < 0.5
    assert found.covered < expected.covered
    # The other side is tried on the mirror image, whose padding is mirrored too.
    on_mirror_image = place(
        mirror(ct), model.references[:1], "right", ("left",), measured=mirror(measured)
    )[0]
    assert on_mirror_image.correlation == pytest.approx(found.correlation, abs=0.02)


@pytest.mark.usefixtures("placed_already")
def test_nothing_is_predicted_where_nothing_was_measured(model, padded, predicted):
    ct, outside = padded
    prediction = predict_ct(ct, model, force=True)
    whole, _ = predicted
    found = next(check for check in prediction.checks if check.name == "padding")
    assert found.verdict == "ok"
    assert "of the voxels were not measured" in found.found
    assert not any(check.name == "padding" for check in whole.checks)
    mask = array_of(prediction.volumes["mask"]) > 0
    touched = sitk.Resample(outside, prediction.classmap, sitk.Transform(), sitk.sitkLinear, 0.0)
    assert (array_of(touched)[mask] < 0.5).all()
    assert 0.2 < mask.mean() < (array_of(whole.volumes["mask"]) > 0).mean() - 0.05
    for name in ("microct", "classmap", "uncertainty"):
        assert (array_of(prediction.volumes[name])[~mask] == 0).all()
    assert array_of(prediction.volumes["ct"]).min() > -1500


def test_a_head_is_refused_before_the_search(model, new_ear, monkeypatch):
    monkeypatch.setattr("otosynth.prediction.predict.place", None)
    head = sitk.Image(new_ear.ct)
    head.SetSpacing((0.6, 0.6, 5.0))
    with pytest.raises(InputError) as refused:
        look_at(head, model)
    assert "crop the scan round one ear" in str(refused.value)
    assert "shows too little detail" in str(refused.value)


@pytest.mark.parametrize(
    ("edge_mm", "verdict"), [(0.6, "ok"), (0.3, "warning"), (1.0, "warning"), (2.5, "refused")]
)
def test_voxel_sizes_are_compared_with_the_training_s(model, edge_mm, verdict):
    ct = sitk.Image(8, 8, 8, sitk.sitkFloat32)
    ct.SetSpacing((edge_mm,) * 3)
    assert checks.check_voxels(ct, model.facts).verdict == verdict


def test_an_unknown_voxel_size_is_said_to_be_unknown(model):
    references = tuple(r.model_copy(update={"ct_spacing_mm": None}) for r in model.facts.references)
    facts = model.facts.model_copy(update={"references": references})
    check = checks.check_voxels(sitk.Image(8, 8, 8, sitk.sitkFloat32), facts)
    assert check.verdict == "ok"
    assert "not known" in check.expected


class Says:
    """A member that predicts what it was given."""

    size = 8

    def __init__(self, microct, labels, gives_probabilities):
        probabilities = np.stack([labels == c for c in range(3)]).astype(np.float32)
        self.prediction = Prediction(
            microct, labels.astype(np.uint8), probabilities if gives_probabilities else None
        )

    def predict(self, ear, corners, map_classes):
        assert corners == patch_corners(ear.ct.shape, self.size)
        return self.prediction


@pytest.mark.parametrize("gives_probabilities", [True, False])
def test_an_ensemble_is_the_mean_and_its_spread(gives_probabilities):
    random = np.random.default_rng(2)
    microcts = random.normal(size=(3, 8, 8, 8)).astype(np.float32)
    labels = random.integers(0, 3, (3, 8, 8, 8))
    ear = Ear(np.zeros((8, 8, 8), np.float32), np.ones((8, 8, 8), np.uint8))
    members = (
        Says(m.copy(), c, gives_probabilities) for m, c in zip(microcts, labels, strict=True)
    )
    found = predict_ensemble(ear, members, lambda microct, _: (microct > 0).astype(np.uint8))
    shares = np.mean([[c == k for k in range(3)] for c in labels], axis=0)
    np.testing.assert_allclose(found.microct, microcts.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.microct_std, microcts.std(axis=0, ddof=1), atol=1e-6)
    np.testing.assert_allclose(found.uncertainty, uncertainty(shares), atol=1e-6)
    by_mean = shares.argmax(axis=0) if gives_probabilities else found.microct > 0
    np.testing.assert_array_equal(found.classmap, by_mean)


def test_a_single_member_without_probabilities_has_no_uncertainty():
    labels = np.zeros((8, 8, 8), np.uint8)
    ear = Ear(np.zeros((8, 8, 8), np.float32), np.ones((8, 8, 8), np.uint8))
    one = Says(np.zeros((8, 8, 8), np.float32), labels, gives_probabilities=False)
    found = predict_ensemble(ear, iter([one]), lambda *_: labels)
    assert found.microct_std is None
    assert found.uncertainty is None


def test_a_down_sampled_method_sees_what_its_training_saw(placements, new_ear):
    """Brought to the fine grid, then averaged in blocks, as `downsample_pair` does."""
    placement = placements[0]
    fine, mask = placement.onto_training_grid(new_ear.ct)
    reference = placement.reference
    coarse_grid = reference.grid.shrunk([2] * 3)
    coarse = replace(placement, reference=reference.model_copy(update={"grid": coarse_grid}))
    ct, inside = coarse.onto_training_grid(new_ear.ct, factor=2)
    assert same_grid(ct, downsample(fine, 2))
    np.testing.assert_allclose(array_of(ct), array_of(downsample(fine, 2)), atol=0.01)
    np.testing.assert_array_equal(array_of(inside), array_of(downsample_mask(mask, 2)))


def test_misspelt_options_are_refused_at_once(model, new_ear):
    with pytest.raises(InputError, match="side is 'lft', and may be None, 'left', 'right'"):
        look_at(new_ear.ct, model, side="lft")
    with pytest.raises(InputError, match="search is 'all', and may be '45 degrees'"):
        look_at(new_ear.ct, model, search="all")


def test_a_model_of_another_version_is_refused(model):
    settings = model.facts.settings | {"unheard_of": 1}
    facts = model.facts.model_copy(update={"settings": settings})
    with pytest.raises(InputError, match="does not know its method or one of its settings"):
        replace(model, facts=facts).create_method()
