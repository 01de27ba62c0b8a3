"""Whole-volume prediction puts every patch where it belongs."""

import numpy as np
import pytest
import torch
from torch import nn

from otosynth.configuration.methods.base import MethodSettings, PredictionSettings
from otosynth.inference import Ear, Predictor
from otosynth.methods.base import PatchPrediction
from otosynth.normalisation import Normalisation, Window
from otosynth.patches import patch_corners
from otosynth.training.arithmetic import resolve_arithmetic

IDENTITY = Normalisation(Window(-1, 1), Window(-1, 1), ())


class Copies:
    """A stand-in method: the micro-CT is the CT, the class tells which call it was."""

    def __init__(self, gives_classes=True, **prediction):
        self.settings = MethodSettings(title="", prediction=PredictionSettings(**prediction))
        self.gives_classes = gives_classes
        self.calls = 0

    def predict(self, networks, patch):
        number, self.calls = self.calls % 3, self.calls + 1
        ct = networks["noise"](patch.ct) if networks else patch.ct
        shape = (1, 3, *ct.shape[2:])
        probabilities = torch.zeros(shape).index_fill(1, torch.tensor([number]), 1.0)
        return PatchPrediction(ct, probabilities if self.gives_classes else None)


def predict(method, ct, mask=None, map_classes=None, networks=None):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    mask = np.ones_like(ct) if mask is None else mask
    predictor = Predictor(method, networks or {}, IDENTITY, arithmetic, 8, seed=3)
    return predictor.predict(Ear(ct, mask), patch_corners(ct.shape, 8), map_classes)


def random_ct(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("overlap", [0, 0.5])
def test_every_voxel_returns_to_its_place(overlap):
    ct = random_ct(20, 16, 11)
    prediction = predict(Copies(overlap=overlap), ct)
    np.testing.assert_allclose(prediction.microct, ct, atol=1e-5)


def test_where_patches_overlap_the_earlier_one_keeps_its_voxels():
    # Corners along x are 0 and 3.
    classes = predict(Copies(), np.zeros((8, 8, 11), np.float32)).classmap
    assert (classes[..., :8] == 0).all()
    assert (classes[..., 8:] == 1).all()


def test_overlapping_patches_are_blended_by_their_distance_from_the_middle():
    prediction = predict(Copies(overlap=0.5), np.zeros((8, 8, 12), np.float32))
    first = prediction.probabilities[0, 4, 4]
    np.testing.assert_allclose(prediction.probabilities.sum(axis=0), 1, atol=1e-5)
    assert first[0] == pytest.approx(1)
    assert first[11] == pytest.approx(0, abs=1e-6)
    # Voxels 4 to 7 lie in both patches: the nearer middle weighs more, and evenly so.
    assert (np.diff(first[3:9]) < 0).all()
    assert first[5] + first[6] == pytest.approx(1)


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
