"""Whole-volume prediction puts every patch where it belongs."""

import numpy as np
import pytest
import torch

from otosynth.inference import predict_volume
from otosynth.methods.base import PatchPrediction
from otosynth.normalisation import Normalisation, Window
from otosynth.patches import patch_corners
from otosynth.training.arithmetic import resolve_arithmetic

IDENTITY = Normalisation(Window(-1, 1), Window(-1, 1), ())


class Copies:
    """A stand-in network: the micro-CT is the CT, the class tells which call it was."""

    gives_class_map = True

    def __init__(self):
        self.calls = 0

    def predict(self, networks, ct):
        self.calls += 1
        return PatchPrediction(ct[:, 0], torch.full_like(ct[:, 0], self.calls).to(torch.uint8))


def predict(method, ct, mask=None, map_classes=None):
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    mask = np.ones_like(ct) if mask is None else mask
    corners = patch_corners(ct.shape, 8)
    return predict_volume(method, {}, ct, mask, corners, 8, IDENTITY, arithmetic, map_classes)


def test_every_voxel_returns_to_its_place():
    ct = np.random.default_rng(0).uniform(-1, 1, (20, 16, 11)).astype(np.float32)
    prediction = predict(Copies(), ct)
    np.testing.assert_allclose(prediction.microct, ct, atol=1e-6)


def test_where_patches_overlap_the_earlier_one_keeps_its_voxels():
    ct = np.zeros((8, 8, 11), np.float32)
    # Corners along x are 0 and 3; the later is predicted first (call 1), the earlier last.
    classes = predict(Copies(), ct).classmap
    assert (classes[..., :8] == 2).all()
    assert (classes[..., 8:] == 1).all()


def test_a_method_without_classes_gets_them_from_its_micro_ct():
    method = Copies()
    method.gives_class_map = False
    ct = np.full((8, 8, 8), 0.5, np.float32)
    mask = np.zeros(ct.shape, np.uint8)

    def threshold(microct, inside):
        assert microct == pytest.approx(0.5)
        assert not inside.any()
        return np.full(microct.shape, 2, np.uint8)

    assert (predict(method, ct, mask, threshold).classmap == 2).all()
