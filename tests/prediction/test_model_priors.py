"""Models of methods with a prior: what they keep of their training ears, and what they see."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.api import load_model
from otosynth.configuration.atlas import AtlasSettings
from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.metrics import dice
from otosynth.prediction.card import card_path, write_card
from otosynth.prediction.members import networks_used
from otosynth.prediction.model_file import write_model
from otosynth.prediction.of_study import _reference
from otosynth.prediction.predict import look_at, predict_ct
from otosynth.prediction.priors import priors_of_members
from otosynth.provenance.places import Places
from otosynth.training.checkpoints import network_tensors, read_tensors
from otosynth.volumes.arrays import array_of

QUICK = AtlasSettings(candidates=1, iterations=10, search_step_degrees=20.0)
METHOD = {
    "title": "Prior",
    "widths": (4, 4),
    "prior": "classes",
    "prediction": {"edge": 16, "flips": True},
}


def with_prior(model, studies, kind, **facts):
    """The model with what a prior of some kind is made of."""
    places, mirrored = Places(studies / "tiny"), {"T1": False, "T2": True}
    references = tuple(_reference(places, ear, mirrored[ear], 1, kind) for ear in mirrored)
    facts |= {
        "references": tuple(reference.facts for reference in references),
        "atlas": QUICK.model_dump(mode="json"),
    }
    return replace(model, facts=model.facts.model_copy(update=facts), references=references)


@pytest.fixture(scope="module")
def voting(model, studies):
    """A residual U-Net, not trained, that reads votes; its members know an ear each, and both."""
    settings = method_settings("residual_unet", METHOD)
    method = create_method(settings)
    first, second = (
        m.model_copy(update={"networks": ("unet",), "temperature": 2.0})
        for m in model.facts.members
    )
    members = (first, second.model_copy(update={"training": ("T1", "T2")}))
    changed = with_prior(
        model, studies, "classes", method="residual_unet", members=members,
        settings=settings.model_dump(mode="json"),
    )  # fmt: skip
    weights = tuple(network_tensors(method.build_networks(seed)) for seed in (1, 2))
    return replace(changed, weights=weights)


@pytest.fixture(scope="module")
def looked(voting, new_ear):
    return look_at(new_ear.ct, voting)


def test_members_votes_are_those_of_their_training_ears(voting, looked, new_ear):
    done = []
    one, both = priors_of_members(looked.ct, looked.mask, voting, "classes", lambda: done.append(1))
    assert len(done) == 2, "each ear is registered once"
    for number, prior in ((1, one), (2, both)):
        assert [volume.dtype for volume in prior] == [np.uint8] * 3
        assert np.sum(prior, axis=0).max() == number
    # The votes show the new ear, which no one has seen.
    truth, inside = exact_classes(new_ear, looked), array_of(looked.mask) > 0
    voted = np.argmax(both, axis=0)
    assert np.nanmean(list(dice(truth, voted, inside).values())) > 0.5


def exact_classes(ear, looked):
    """The new ear's own classes on the grid on which it was predicted."""
    to_microct = sitk.CompositeTransform([ear.pose.GetInverse(), looked.placement.transform])
    labels = sitk.Resample(ear.labels, looked.mask, to_microct, sitk.sitkNearestNeighbor, 0)
    return array_of(labels)


def test_a_mean_micro_ct_is_carried_in_its_own_unit(model, studies, looked, new_ear):
    changed = with_prior(model, studies, "microct")
    (mean,), _ = priors_of_members(looked.ct, looked.mask, changed, "microct")
    assert mean.dtype == np.float32
    truth = exact_classes(new_ear, looked)
    inside = array_of(looked.mask) > 0
    assert mean[inside & (truth == 2)].mean() > 2 * mean[inside & (truth == 0)].mean()


def test_a_method_with_a_prior_predicts_a_new_ct(voting, new_ear, monkeypatch):
    seen = []
    method = voting.create_method()
    predict = type(method).predict

    def watched(self, networks, patch):
        seen.append(patch.prior)
        return predict(self, networks, patch)

    monkeypatch.setattr(type(method), "predict", watched)
    prediction = predict_ct(new_ear.ct, voting)
    assert set(prediction.volumes) >= {"microct", "classmap", "uncertainty"}
    assert all(prior.shape[1] == 3 and 0 <= prior.min() <= prior.max() <= 1 for prior in seen)
    assert max(prior.max() for prior in seen) == 1


def test_a_file_keeps_what_a_prior_is_made_of(voting, tmp_path):
    file = tmp_path / "voting.safetensors"
    write_model(voting, file)
    again = load_model(file)
    assert again.digest == voting.digest
    assert again.facts == voting.facts
    for reference, kept in zip(voting.references, again.references, strict=True):
        assert sorted(kept.atlas) == ["classmap", "ct", "mask"]
        for name, image in reference.atlas.items():
            np.testing.assert_array_equal(array_of(kept.atlas[name]), array_of(image))
            assert kept.atlas[name].GetSpacing() == image.GetSpacing()
    write_card(again, file)
    assert "with their CTs and class maps at 0.5 mm" in card_path(file).read_text(encoding="utf-8")


def test_a_model_of_an_earlier_version_is_read_and_has_its_digest(model, tmp_path):
    earlier = replace(model, facts=model.facts.model_copy(update={"format": 1}))
    file = tmp_path / "earlier.safetensors"
    write_model(earlier, file)
    _, said = read_tensors(file)
    assert "atlas" not in said["model"]
    assert all("temperature" not in member for member in said["model"]["members"])
    assert all("atlas" not in reference for reference in said["model"]["references"])
    again = load_model(file)
    assert again.digest == earlier.digest != model.digest
    assert [member.temperature for member in again.facts.members] == [1.0, 1.0]


@pytest.mark.parametrize("method", ["cg_samr", "ucg_samr", "residual_unet"])
def test_networks_of_a_method_with_a_prior_are_found(method):
    keys = {"width": 4, "residual_blocks": 1, "discriminator_width": 4}
    if method == "residual_unet":
        keys = METHOD
    used = networks_used(create_method(method_settings(method, keys)))
    assert used
    assert not [name for name in used if "discriminator" in name]
