"""dyn_unet: what is learned from, deep supervision, checkpoints."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from torch.nn.functional import one_hot

from otosynth.configuration.methods import method_settings
from otosynth.losses.segmentation import WEIGHTS, dice_and_cross_entropy
from otosynth.methods import create_method
from otosynth.methods.base import weighted_sum

TINY = {"width": 4, "levels": 3, "deep_supervision_heads": 1}


@pytest.fixture(autouse=True)
def deterministic():
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def make(**changes):
    return create_method(method_settings("dyn_unet", {**TINY, **changes}))


def with_balls(batch):
    """The batch with nested balls, which the CT shows."""
    axis = torch.arange(16.0) - 7.5
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
    labels = (radius < 7).long() + (radius < 4).long()
    classes = one_hot(labels, 3).permute(3, 0, 1, 2)[None].float() * batch.mask
    return replace(batch, ct=labels[None, None] - 1.0 + 0.1 * batch.ct, classes=classes)


def test_gradients_reach_every_parameter_and_every_head(make_batch):
    method, batch = make(levels=4, deep_supervision_heads=2), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    assert generated["logits"].shape == (1, 3, 3, 16, 16, 16)
    losses = method.losses("segmenter", WEIGHTS, networks, batch, generated)
    weighted_sum(losses, method.weights("segmenter", 0)).backward()
    names = dict(networks["segmenter"].named_parameters())
    assert sum("super_head" in name for name in names) == 2 * 2
    for name, parameter in names.items():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_training_without_deep_supervision_has_one_head(make_batch):
    method, batch = make(deep_supervision_heads=0), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    assert generated["logits"].shape == (1, 1, 3, 16, 16, 16)
    losses = method.losses("segmenter", WEIGHTS, networks, batch, generated)
    assert losses == dice_and_cross_entropy(generated["logits"][:, 0], batch.classes)


def test_nothing_outside_the_mask_changes_a_loss(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    outside = {"logits": torch.where(batch.mask[:, None] > 0, generated["logits"], 3.0)}
    first = method.losses("segmenter", WEIGHTS, networks, batch, generated)
    second = method.losses("segmenter", WEIGHTS, networks, batch, outside)
    assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in second.items()}


def test_it_memorises_a_patch(make_batch, train_steps):
    batch = with_balls(make_batch())
    _, history = train_steps(make(), batch, steps=60, rate=5e-3)
    for name in WEIGHTS:
        assert history[-1][name] < history[0][name] / 2, name


def test_it_predicts_classes_alone_by_the_finest_head(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    training = method.predict(networks, batch.known).probabilities
    networks["segmenter"].eval()
    prediction = method.predict(networks, batch.known)
    assert prediction.microct is None
    assert prediction.probabilities.shape == (1, 3, 16, 16, 16)
    assert prediction.probabilities.sum(dim=1).allclose(torch.ones(1, 16, 16, 16))
    assert prediction.probabilities.allclose(training)
    assert method.settings.gives_classes
    assert not method.settings.gives_microct


def test_validation_is_dice_plus_cross_entropy(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    networks["segmenter"].eval()
    losses = {k: v.item() for k, v in method.validation_losses(networks, batch).items()}
    assert losses.keys() == {"dice", "cross_entropy"}
    assert method.validation_score(losses) == losses["dice"] + losses["cross_entropy"]


def test_the_seed_alone_decides_the_weights():
    torch.manual_seed(5)
    first = make().build_networks(1)["segmenter"].state_dict()
    torch.manual_seed(6)
    again, other = (make().build_networks(seed)["segmenter"].state_dict() for seed in (1, 2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert any(not torch.equal(weight, other[name]) for name, weight in first.items())


def test_a_checkpoint_holds_each_weight_once():
    network = make().build_networks(1)["segmenter"]
    weights = network.state_dict()
    assert len(weights) == len(list(network.parameters()))
    # safetensors refuses two names for one tensor.
    save(weights)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="at most levels - 2"):
        make(deep_supervision_heads=2)
    assert make(levels=4).settings.patch_multiple == 8
    assert make(levels=4).settings.smallest_patch == 16
