"""cycle_shape: who learns from what, that no pair is needed, and what lies outside a mask."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.methods.base import UnpairedBatch, weighted_sum

TINY = {"width": 4, "levels": 2, "discriminator_blocks": 2}
OWN_LOSSES = {
    "generators": {"adversarial", "cycle", "shape"},
    "segmentors": {"segmentation_real", "segmentation_synthetic", "segmentation_reconstructed"},
    "discriminators": {"discriminator"},
}


def make_method(**changes):
    return create_method(method_settings("cycle_shape", TINY | changes))


@pytest.fixture
def batch(make_batch):
    """A CT and a micro-CT of two ears; a border of each is outside its mask."""
    batch = make_batch(unpaired=True)
    mask = torch.ones_like(batch.mask)
    mask[:, :, :3] = 0
    return replace(batch, microct_mask=mask, microct_classes=batch.microct_classes * mask)


def all_losses(method, networks, batch, generated=None, epoch=0):
    generated = generated or method.generate(networks, batch)
    return {
        name: loss.item()
        for player in method.players
        for name, loss in method.losses(
            player, method.weights(player, epoch), networks, batch, generated
        ).items()
    }


@pytest.mark.parametrize("player", list(OWN_LOSSES))
def test_each_player_s_losses_reach_all_its_weights_and_no_others(batch, player):
    method = make_method(levels=3)
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    weights = method.weights(player, 0)
    for name, network in networks.items():
        network.requires_grad_(name in method.players[player])
    losses = method.losses(player, weights, networks, batch, generated)
    assert losses.keys() == weights.keys() == OWN_LOSSES[player]
    weighted_sum(losses, weights).backward()
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            if name not in method.players[player]:
                assert parameter.grad is None, (name, key)
                continue
            assert torch.isfinite(parameter.grad).all(), (name, key)
            # The instance norm in D takes a bias away again.
            if player != "discriminators" or key.endswith("weight"):
                assert parameter.grad.abs().max() > 1e-7, (name, key)


def test_only_generators_and_segmentors_of_equation_3_change_while_pretraining():
    method = make_method(pretraining_epochs=2)
    assert method.weights("generators", 1) == {"adversarial": 1, "cycle": 10}
    assert method.weights("generators", 2) == {"adversarial": 1, "cycle": 10, "shape": 1}
    assert method.weights("segmentors", 1) == {"segmentation_real": 1}
    assert method.weights("segmentors", 2).keys() == OWN_LOSSES["segmentors"]
    assert method.weights("discriminators", 1) == method.weights("discriminators", 2)


def test_a_player_without_a_loss_rests():
    only_shape = {"adversarial": 0, "cycle": 0, "shape": 1}
    method = make_method(loss_weights=only_shape, pretraining_epochs=1)
    assert method.weights("generators", 0) == {}
    assert method.weights("generators", 1) == {"shape": 1}
    assert method.weights("discriminators", 1) == {}


def test_impossible_settings_are_refused():
    with pytest.raises(ValidationError, match="must not all be 0"):
        make_method(loss_weights={"adversarial": 0, "cycle": 0, "shape": 0})
    with pytest.raises(ValidationError, match="pretraining_epochs"):
        make_method(epochs=150, pretraining_epochs=151)
    assert not make_method().settings.paired
    settings = make_method(levels=4, discriminator_blocks=2).settings
    assert (settings.smallest_patch, settings.patch_multiple) == (16, 8)


def test_nothing_outside_a_mask_changes_a_loss(batch):
    """The CT's context aside, which G_B and S_A read in prediction too."""
    method = make_method()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    masks = {"a": batch.microct_mask, "b": batch.mask}
    for domain, mask in masks.items():
        assert (generated[f"synthetic_{domain}"][mask == 0] == -1).all()
    for domain, mask in {"a": batch.mask, "b": batch.microct_mask}.items():
        assert (generated[f"reconstructed_{domain}"][mask == 0] == -1).all()
    microct = torch.where(batch.microct_mask > 0, batch.microct, 0.77)
    changed = replace(batch, microct=microct)
    assert all_losses(method, networks, changed) == all_losses(method, networks, batch)
    ct = torch.where(batch.mask > 0, batch.ct, 0.77)
    first, second = (
        all_losses(method, networks, b, generated) for b in (batch, replace(batch, ct=ct))
    )
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {"segmentation_real"}


def test_the_ct_s_labels_change_only_what_belongs_to_the_ct(batch):
    method = make_method()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    other = replace(batch, mask=batch.mask.flip(4), classes=batch.classes.flip(4))
    again = method.generate(networks, other)
    for name in ("synthetic_a", "reconstructed_b"):
        assert torch.equal(generated[name], again[name])
    for name in ("synthetic_b", "reconstructed_a"):
        assert not torch.equal(generated[name], again[name])


def test_no_loss_depends_on_which_micro_ct_accompanies_a_ct(batch):
    """Two CTs and two micro-CTs: paired either way, the losses of both steps have the same sum."""
    method = make_method()
    networks = method.build_networks(1)
    ct = {"ct": batch.ct.flip(2), "mask": batch.mask.flip(2), "classes": batch.classes.flip(2)}
    microct = {
        name: getattr(batch, name).flip(3)
        for name in ("microct", "microct_mask", "microct_classes")
    }
    steps = [batch, replace(batch, **ct, **microct)]
    exchanged = [replace(batch, **ct), replace(batch, **microct)]
    sums = []
    for pairing in (steps, exchanged):
        losses = [all_losses(method, networks, b) for b in pairing]
        sums.append({name: losses[0][name] + losses[1][name] for name in losses[0]})
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)


def test_the_epoch_is_selected_by_the_segmentation_loss(make_batch):
    method = make_method()
    losses = method.validation_losses(method.build_networks(1), make_batch())
    assert losses.keys() == {"shape", "cycle", "dice", "dice_ct", "l1"}
    values = {name: loss.item() for name, loss in losses.items()}
    assert method.validation_score(values) == values["shape"]


def test_it_predicts_both_and_segments_the_ct(make_batch):
    method = make_method()
    networks, batch = method.build_networks(1), make_batch()
    prediction = method.predict(networks, batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    for probabilities in (prediction.probabilities, method.segment_ct(networks, batch.ct)):
        assert probabilities.shape == (1, 3, 16, 16, 16)
        assert torch.allclose(probabilities.sum(dim=1), torch.ones(1, 16, 16, 16))


def blocks_of_classes(first: int) -> torch.Tensor:
    """Eight blocks of 4^3 voxels, one-hot (1, 3, 8, 8, 8); the classes take turns."""
    numbers = (torch.arange(8) + first) % 3
    labels = torch.nn.functional.one_hot(numbers, 3).T.reshape(1, 3, 2, 2, 2).float()
    return torch.nn.Upsample(scale_factor=4)(labels)


def shown(classes: torch.Tensor, contrast: float) -> torch.Tensor:
    """An image in which each class has its grey."""
    return contrast * (classes[:, 2:] - classes[:, :1])


def test_it_memorises_two_patches(train_steps):
    ct, microct = blocks_of_classes(0), blocks_of_classes(1)
    mask = torch.ones(1, 1, 8, 8, 8)
    batch = UnpairedBatch(
        ct=shown(ct, 0.4), mask=mask, classes=ct,
        microct=shown(microct, 0.8), microct_mask=mask, microct_classes=microct,
    )  # fmt: skip
    method = make_method(width=8, discriminator_blocks=1)
    torch.set_deterministic_debug_mode("error")
    try:
        _, history = train_steps(method, batch, 80, rate=5e-4)
    finally:
        torch.set_deterministic_debug_mode("default")
    first, last = history[0], history[-1]
    for name in ("cycle", "shape", *OWN_LOSSES["segmentors"]):
        assert last[name] < 0.6 * first[name], name


def test_the_adversarial_losses_are_what_the_discriminators_say(batch):
    """L_GAN of Eq. 3: each domain's discriminator, on real and on synthetic images."""
    method = make_method(adversarial="least_squares")
    networks = method.build_networks(1)
    images = method.generate(networks, batch)
    real = {
        "a": torch.where(batch.mask > 0, batch.ct, -1.0),
        "b": torch.where(batch.microct_mask > 0, batch.microct, -1.0),
    }
    for_g = for_d = 0.0
    for domain, image in real.items():
        discriminator = networks[f"discriminator_{domain}"]
        on_real, on_fake = discriminator(image), discriminator(images[f"synthetic_{domain}"])
        for_g += (on_fake - 1).square().mean().item()
        for_d += ((on_real - 1).square().mean() + on_fake.square().mean()).item() / 2
    found = all_losses(method, networks, batch, images)
    assert found["adversarial"] == pytest.approx(for_g, rel=1e-5)
    assert found["discriminator"] == pytest.approx(for_d, rel=1e-5)


def test_a_ct_is_predicted_by_g_b_and_its_classes_by_s_b_or_s_a(batch):
    networks = make_method().build_networks(1)
    microct = torch.tanh(networks["generator_b"](batch.ct)[0])
    inside = torch.where(batch.mask > 0, microct, -1.0)
    classes = {
        "synthetic": torch.softmax(networks["segmentor_b"](inside)[0], dim=1),
        "ct": torch.softmax(networks["segmentor_a"](batch.ct)[0], dim=1),
    }
    for source, expected in classes.items():
        predicted = make_method(classes_from=source).predict(networks, batch.known)
        assert torch.equal(predicted.microct, microct)
        assert torch.equal(predicted.probabilities, expected), source
