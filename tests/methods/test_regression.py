"""Regression: the thesis's generator with the L1 loss of Eq. 2 alone."""

from dataclasses import replace

import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.losses.thesis import masked_l1, weighted_l1_loss
from otosynth.methods import create_method
from otosynth.methods.base import weighted_sum

TINY = {"width": 4, "residual_blocks": 1}


@pytest.fixture(autouse=True)
def deterministic():
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def make(**changes):
    return create_method(method_settings("regression", {**TINY, **changes}))


def test_gradients_reach_every_parameter(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    losses = method.losses("generator", ["weighted_l1"], networks, batch,
                           method.generate(networks, batch))  # fmt: skip
    weighted_sum(losses, method.weights("generator", 0)).backward()
    for name, parameter in networks["generator"].named_parameters():
        assert parameter.grad.isfinite().all(), name
        # Instance norm takes a convolution's bias away again.
        if name.endswith("weight"):
            assert parameter.grad.abs().max() > 0, name


def test_nothing_outside_the_mask_changes_a_loss(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    changed = replace(batch, microct=torch.where(batch.mask > 0, batch.microct, 0.77))
    outside = {"microct": torch.where(batch.mask > 0, generated["microct"], 0.3)}
    first = method.losses("generator", ["weighted_l1"], networks, batch, generated)
    second = method.losses("generator", ["weighted_l1"], networks, changed, outside)
    assert first["weighted_l1"].item() == second["weighted_l1"].item()


def test_it_memorises_a_patch(make_batch, train_steps):
    batch = make_batch()
    # Something smooth to see: noise cannot be learned in so few steps.
    ramp = torch.linspace(-0.8, 0.8, 16).expand_as(batch.ct)
    batch = replace(batch, ct=ramp + 0.1 * batch.ct, microct=-ramp)
    _, history = train_steps(make(dropout=0), batch, steps=100, rate=2e-3)
    assert history[-1]["weighted_l1"] < history[0]["weighted_l1"] / 2


def test_it_predicts_a_microct_alone(make_batch):
    method, batch = make(), make_batch()
    prediction = method.predict(method.build_networks(1), batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    assert prediction.probabilities is None
    assert method.settings.gives_microct
    assert not method.settings.gives_classes


def test_validation_is_the_weighted_l1(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    networks["generator"].eval()
    microct = method.predict(networks, batch.known).microct
    losses = {k: v.item() for k, v in method.validation_losses(networks, batch).items()}
    assert losses == {
        "weighted_l1": weighted_l1_loss(batch.microct, microct, batch.classes).item(),
        "l1": masked_l1(batch.microct, microct, batch.mask).item(),
    }
    assert method.validation_score(losses) == losses["weighted_l1"]


def test_the_seed_decides_the_weights():
    first, again, other = (make().build_networks(seed)["generator"] for seed in (1, 1, 2))
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
