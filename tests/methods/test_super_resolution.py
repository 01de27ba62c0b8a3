"""super_resolution: what it reads of the CT, on which grids, and what it learns."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from otosynth.configuration.methods import method_settings
from otosynth.losses.segmentation import WEIGHTS
from otosynth.methods import create_method
from otosynth.methods.base import weighted_sum
from otosynth.networks.super_resolution import SuperResolution, grid_sizes, read_coarse

TINY = {"width": 8, "residual_blocks": 1}


@pytest.fixture(autouse=True)
def deterministic():
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def make(**changes):
    return create_method(method_settings("super_resolution", {**TINY, **changes}))


def with_balls(batch):
    """The batch with nested balls, which the CT shows."""
    axis = torch.arange(16.0) - 7.5
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
    labels = (radius < 7).long() + (radius < 4).long()
    classes = one_hot(labels, 3).permute(3, 0, 1, 2)[None].float() * batch.mask
    return replace(batch, ct=labels[None, None] - 1.0 + 0.1 * batch.ct, classes=classes)


@pytest.mark.parametrize(
    ("fine", "factor", "steps", "sizes"),
    [
        ((96, 96, 96), 2.5, 2, [(38,) * 3, (60,) * 3, (96,) * 3]),
        ((32, 32, 32), 2.0, 1, [(16,) * 3, (32,) * 3]),
        ((8, 16, 32), 2.5, 2, [(4, 6, 13), (6, 10, 20), (8, 16, 32)]),
    ],
)
def test_grids_grow_evenly_to_the_patch_s_own(fine, factor, steps, sizes):
    assert grid_sizes(fine, factor, steps) == sizes


@pytest.mark.parametrize("factor", [1.2, 2.0, 2.5, 5.0])
def test_the_trunk_sees_the_coarse_grid_and_the_result_has_the_patch_s(factor):
    network = SuperResolution(3, 4, 1, 0.0, "layer", factor)
    seen = []
    network.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    assert network(torch.rand(2, 1, 20, 24, 30)).shape == (2, 3, 20, 24, 30)
    coarse = [max(round(edge / factor), 4) for edge in (20, 24, 30)]
    assert seen == [(2, 1, *coarse)]


def test_a_coarse_voxel_holds_the_value_at_its_middle():
    ramp = torch.arange(20.0).expand(1, 1, 20, 20, 20)
    coarse = read_coarse(ramp, (8, 8, 8))
    middles = 2.5 * (torch.arange(8) + 0.5) - 0.5
    assert coarse[0, 0, 3, 3].allclose(middles)


def test_gradients_reach_every_parameter(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    losses = method.losses("segmenter", WEIGHTS, networks, batch, generated)
    weighted_sum(losses, method.weights("segmenter", 0)).backward()
    for name, parameter in networks["segmenter"].named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_nothing_outside_the_mask_changes_a_loss(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    outside = {"logits": torch.where(batch.mask > 0, generated["logits"], 3.0)}
    first = method.losses("segmenter", WEIGHTS, networks, batch, generated)
    second = method.losses("segmenter", WEIGHTS, networks, batch, outside)
    assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in second.items()}


@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_it_memorises_a_patch(make_batch, train_steps, norm):
    batch = with_balls(make_batch())
    _, history = train_steps(make(norm=norm), batch, steps=120, rate=5e-3)
    for name in WEIGHTS:
        assert history[-1][name] < history[0][name] / 2, name


def test_it_predicts_classes_alone(make_batch):
    method, batch = make(), make_batch()
    prediction = method.predict(method.build_networks(1), batch.known)
    assert prediction.microct is None
    assert prediction.probabilities.shape == (1, 3, 16, 16, 16)
    assert prediction.probabilities.sum(dim=1).allclose(torch.ones(1, 16, 16, 16))
    assert method.settings.gives_classes
    assert not method.settings.gives_microct


def test_validation_is_dice_plus_cross_entropy(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    networks["segmenter"].eval()
    losses = {k: v.item() for k, v in method.validation_losses(networks, batch).items()}
    assert losses.keys() == {"dice", "cross_entropy"}
    assert method.validation_score(losses) == losses["dice"] + losses["cross_entropy"]


def test_the_seed_decides_the_weights():
    first, again, other = (make().build_networks(s)["segmenter"].state_dict() for s in (1, 1, 2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert any(not torch.equal(weight, other[name]) for name, weight in first.items())
