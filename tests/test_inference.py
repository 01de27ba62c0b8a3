"""Whole-volume prediction puts every patch where it belongs."""

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from torch import nn
from torch.nn import functional

from otosynth import inference
from otosynth.calibration import uncertainty
from otosynth.configuration.methods.base import MethodSettings, PredictionSettings
from otosynth.inference import Ear, Predictor, confidence_maps, patches_seen
from otosynth.methods import create_method
from otosynth.methods.base import PatchPrediction
from otosynth.normalisation import Normalisation, Window
from otosynth.patches import patch_corners
from otosynth.training.arithmetic import resolve_arithmetic

IDENTITY = Normalisation(Window(-1, 1), Window(-1, 1), ())


class Copies:
    """A stand-in method: the micro-CT is the CT, soft where the CT begins above 0, else air."""

    def __init__(self, gives_classes=True, **prediction):
        self.settings = MethodSettings(title="", prediction=PredictionSettings(**prediction))
        self.gives_classes = gives_classes

    def predict(self, networks, patch):
        ct = networks["noise"](patch.ct) if networks else patch.ct
        number = (patch.ct[:, 0, 0, 0, 0] > 0).long()
        probabilities = functional.one_hot(number, 3).float()[:, :, None, None, None]
        probabilities = probabilities.expand(-1, -1, *ct.shape[2:])
        return PatchPrediction(ct, probabilities if self.gives_classes else None)


def predict(method, ct, mask=None, map_classes=None, networks=None, **settings):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    mask = np.ones_like(ct) if mask is None else mask
    predictor = Predictor(method, networks or {}, IDENTITY, arithmetic, 8, seed=3, **settings)
    return predictor.predict(Ear(ct, mask), patch_corners(ct.shape, 8), map_classes)


def rising_ct(*shape):
    """Rise along x, from 0."""
    return np.broadcast_to(np.linspace(0, 1, shape[-1], dtype=np.float32), shape)


def random_ct(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("overlap", [0, 0.5])
def test_every_voxel_returns_to_its_place(overlap):
    ct = random_ct(20, 16, 11)
    prediction = predict(Copies(overlap=overlap), ct)
    np.testing.assert_allclose(prediction.microct, ct, atol=1e-5)


def test_where_patches_overlap_the_earlier_one_keeps_its_voxels():
    # Corners along x are 0 and 3.
    classes = predict(Copies(), rising_ct(8, 8, 11)).classmap
    assert (classes[..., :8] == 0).all()
    assert (classes[..., 8:] == 1).all()


def test_overlapping_patches_are_blended_by_their_distance_from_the_middle():
    prediction = predict(Copies(overlap=0.5), rising_ct(8, 8, 12))
    first = prediction.probabilities[0, 4, 4]
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert first[0] == pytest.approx(1)
    assert first[11] == pytest.approx(0, abs=1e-6)
    # Voxels 4 to 7 lie in both patches: the nearer middle weighs more, and evenly so.
    assert (np.diff(first[3:9]) < 0).all()
    assert first[5] + first[6] == pytest.approx(1)


@pytest.mark.parametrize("overlap", [0, 0.5, 0.75])
def test_volumes_may_lie_in_files(overlap, tmp_path):
    ct = random_ct(20, 16, 11)
    created = []

    def mapped(shape):
        created.append(np.memmap(tmp_path / str(len(created)), np.float32, "w+", shape=shape))
        return created[-1]

    in_memory, on_disk = (
        predict(Copies(overlap=overlap), ct, **settings)
        for settings in ({}, {"new_volume": mapped})
    )
    assert [volume.shape for volume in created] == [(1, 20, 16, 11), (3, 20, 16, 11)]
    np.testing.assert_array_equal(on_disk.microct, in_memory.microct)
    np.testing.assert_array_equal(on_disk.classmap, in_memory.classmap)


@pytest.mark.parametrize("overlap", [0, 0.5])
@pytest.mark.parametrize("name", ["single_task", "multi_task"])
@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_how_many_patches_are_seen_at_once_changes_rounding_alone(
    tiny_settings, monkeypatch, overlap, name, norm
):
    settings = tiny_settings(
        name, norm=norm, discriminator_blocks=1, prediction={"overlap": overlap}
    )
    method = create_method(settings)
    networks = {key: network.eval() for key, network in method.build_networks(1).items()}
    ct = random_ct(16, 16, 19)
    predicted = []
    for voxels in (1, 3 * 8**3):
        monkeypatch.setattr(inference, "VOXELS_AT_ONCE", voxels)
        predicted.append(
            predict(method, ct, map_classes=lambda microct, _: microct, networks=networks)
        )
    one, several = predicted
    np.testing.assert_allclose(several.microct, one.microct, atol=1e-5)
    if one.probabilities is not None:
        np.testing.assert_allclose(several.probabilities, one.probabilities, atol=1e-5)


@pytest.mark.parametrize("overlap", [0, 0.5])
def test_blending_is_that_of_monai_with_the_same_weights(tiny_settings, overlap):
    settings = tiny_settings("single_task", discriminator_blocks=1, prediction={"overlap": overlap})
    method = create_method(settings)
    networks = {key: network.eval() for key, network in method.build_networks(1).items()}
    ct = random_ct(16, 24, 20)
    found = predict(method, ct, map_classes=lambda microct, _: microct, networks=networks)
    weight = inference._Blended(ct.shape, (8, 8, 8), inference.in_memory)._weight
    with torch.inference_mode():
        peer = sliding_window_inference(
            torch.from_numpy(ct)[None, None], 8, 1,
            lambda patch: torch.tanh(networks["generator"](patch)),
            overlap=overlap, roi_weight_map=torch.from_numpy(weight),
        )[0, 0].numpy()  # fmt: skip
    if overlap:
        np.testing.assert_allclose(found.microct, peer, atol=2e-5)
    else:
        # Along x the last patch is shifted: the earlier one keeps its voxels, MONAI blends.
        np.testing.assert_allclose(found.microct[..., :12], peer[..., :12], atol=2e-5)
        np.testing.assert_allclose(found.microct[..., 16:], peer[..., 16:], atol=2e-5)


def test_patches_that_no_table_names_are_air():
    ct = random_ct(8, 8, 16)
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    predictor = Predictor(Copies(), {}, IDENTITY, arithmetic, 8)
    prediction = predictor.predict(Ear(ct, np.ones_like(ct)), [(0, 0, 8)], None)
    assert (prediction.microct[..., :8] == -1).all()
    assert (prediction.classmap[..., :8] == 0).all()
    np.testing.assert_allclose(prediction.microct[..., 8:], ct[..., 8:], atol=1e-6)


def test_a_method_without_classes_gets_them_from_its_micro_ct():
    ct = np.full((8, 8, 8), 0.5, np.float32)
    mask = np.zeros(ct.shape, np.uint8)

    def threshold(microct, inside):
        assert microct == pytest.approx(0.5)
        assert not inside.any()
        return np.full(microct.shape, 2, np.uint8)

    prediction = predict(Copies(gives_classes=False), ct, mask, threshold)
    assert (prediction.classmap == 2).all()
    assert prediction.probabilities is None


def test_samples_have_dropout_and_repeat_and_one_prediction_has_none():
    ct = random_ct(8, 8, 8)
    networks = {"noise": nn.Dropout(0.5).eval()}
    plain = predict(Copies(), ct, networks=networks)
    np.testing.assert_allclose(plain.microct, ct, atol=1e-6)
    sampled = [predict(Copies(samples=6), ct, networks=networks).microct for _ in range(2)]
    np.testing.assert_array_equal(*sampled)
    # Each sample keeps a voxel, doubled, or drops it to 0; their mean is near the voxel.
    assert np.abs(sampled[0] - ct).mean() > 0.1
    assert not networks["noise"].training


class Blurs(Copies):
    """A stand-in whose micro-CT depends on the neighbours on one side, and so on mirroring."""

    def predict(self, networks, patch):
        moved = functional.pad(patch.ct, (1, 0, 2, 0, 3, 0))[..., :-3, :-2, :-1]
        shares = torch.softmax(torch.cat([moved, patch.ct, moved * patch.ct], dim=1), dim=1)
        return PatchPrediction((patch.ct + moved) / 2, shares)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_mean_over_flips_is_mirrored_with_the_volume(axis):
    ct = random_ct(8, 8, 8)
    for flips in (False, True):
        plain, mirrored = (
            predict(Blurs(flips=flips), volume) for volume in (ct, np.flip(ct, axis).copy())
        )
        same = np.allclose(np.flip(plain.microct, axis), mirrored.microct, atol=1e-6)
        assert same == flips
    np.testing.assert_allclose(
        np.flip(plain.probabilities, axis + 1), mirrored.probabilities, atol=1e-6
    )


def test_flips_are_averaged_with_the_patch_as_it_is():
    ct = random_ct(8, 8, 8)
    one = predict(Blurs(), ct).microct
    eight = [
        np.flip(predict(Blurs(), np.flip(ct, axes).copy()).microct, axes)
        for axes in ([], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2])
    ]
    np.testing.assert_array_equal(eight[0], one)
    found = predict(Blurs(flips=True), ct).microct
    np.testing.assert_allclose(found, np.mean(eight, axis=0), atol=1e-6)


@pytest.mark.parametrize("overlap", [0, 0.5])
@pytest.mark.parametrize("shape", [(9, 13, 11), (8, 24, 17), (16, 9, 21)])
def test_patches_larger_than_the_volume_are_filled_up_and_cut_again(shape, overlap):
    ct, seen = random_ct(*shape), []

    class Watched(Copies):
        def predict(self, networks, patch):
            seen.append(tuple(patch.ct.shape[2:]))
            last = patch.ct[:, :, shape[0] - 1 : shape[0]]
            assert (patch.ct[:, :, shape[0] :] == last).all(), "what is filled up repeats it"
            return super().predict(networks, patch)

    prediction = predict(Watched(edge=16, overlap=overlap), ct)
    np.testing.assert_allclose(prediction.microct, ct, atol=1e-5)
    assert prediction.classmap.shape == shape
    # Multiples of 4 along an axis that one patch covers; 16 elsewhere.
    assert set(seen) == {tuple(min(16, -(-n // 4) * 4) for n in shape)}


def test_a_whole_volume_in_one_patch_has_no_seams(tiny_settings):
    settings = tiny_settings("multi_task", discriminator_blocks=1, prediction={"edge": 64})
    method = create_method(settings)
    networks = {key: network.eval() for key, network in method.build_networks(1).items()}
    ct = random_ct(12, 16, 20)
    found = predict(method, ct, networks=networks)
    with torch.inference_mode():
        whole = torch.tanh(networks["generator"](torch.from_numpy(ct)[None, None])[:, :1])
    np.testing.assert_allclose(found.microct, whole[0, 0], atol=1e-5)


def test_how_many_patches_are_seen_is_counted():
    method, shape = Copies(edge=16, flips=True, overlap=0.5), (8, 20, 40)
    seen = []
    method.predict = lambda networks, patch: (
        seen.append(len(patch.ct)) or Copies().predict(networks, patch)
    )
    predict(method, random_ct(*shape))
    assert sum(seen) == patches_seen(method.settings.prediction, shape, 8) == 8 * 1 * 2 * 4


def test_confidence_is_that_of_tempered_probabilities_plane_by_plane():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], (4, 3, 2)).astype(np.float32)
    shares = np.moveaxis(shares, -1, 0)
    for temperature in (1.0, 2.0):
        confidence, entropy = confidence_maps(shares, temperature)
        by_hand = shares ** (1 / temperature) / (shares ** (1 / temperature)).sum(axis=0)
        np.testing.assert_allclose(confidence, by_hand.max(axis=0), rtol=1e-5)
        np.testing.assert_allclose(entropy, uncertainty(by_hand), atol=1e-5)
