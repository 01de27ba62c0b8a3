"""residual_unet: its losses, its network's shapes, what it learns and what it must not see."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from otosynth.configuration.methods import method_settings
from otosynth.losses.segmentation import pooled_dice_loss
from otosynth.methods import create_method
from otosynth.methods.base import weighted_sum
from otosynth.networks.residual_unet import (
    ResidualUnet,
    channels_to_voxels,
    doubled,
    voxels_to_channels,
)

TINY = {"widths": (4, 6, 8)}
LOSSES = {"cross_entropy", "dice", "l1"}


@pytest.fixture(autouse=True)
def deterministic():
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


def make(**changes):
    return create_method(method_settings("residual_unet", {**TINY, **changes}))


def with_balls(batch):
    """The batch with nested balls, which the CT and the micro-CT show."""
    axis = torch.arange(16.0) - 7.5
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
    labels = (radius < 7).long() + (radius < 4).long()
    classes = one_hot(labels, 3).permute(3, 0, 1, 2)[None].float() * batch.mask
    levels = labels[None, None] - 1.0
    return replace(batch, ct=levels + 0.1 * batch.ct, microct=0.8 * levels, classes=classes)


def doubled_batch(batch):
    """Two patches: the batch's, and the same mirrored."""
    return replace(batch, **{n: torch.cat([t, t.flip(2)]) for n, t in batch.tensors.items()})


def test_eight_voxels_become_channels_and_back():
    x = torch.arange(2 * 8 * 4 * 6 * 8.0).view(2, 8, 4, 6, 8)
    deep = voxels_to_channels(x)
    assert deep.shape == (2, 64, 2, 3, 4)
    # Of the second channel, the voxel at odd z, even y and odd x of each eight.
    assert torch.equal(deep[:, 8 + 5], x[:, 1, 1::2, ::2, 1::2])
    assert torch.equal(channels_to_voxels(deep), x)


def test_doubling_is_nearest_neighbour():
    x = torch.rand(2, 3, 2, 3, 4)
    assert torch.equal(doubled(x), torch.nn.functional.interpolate(x, scale_factor=2.0))


def test_the_default_network_is_as_large_as_it_is_said_to_be():
    network = ResidualUnet(1, 4, (32, 64, 96))
    assert sum(p.numel() for p in network.parameters()) == 1_159_808
    assert network(torch.rand(1, 1, 8, 16, 24)).shape == (1, 4, 8, 16, 24)


def test_blocks_start_close_to_the_identity():
    networks = create_method(method_settings("residual_unet", {})).build_networks(1)
    block = networks["unet"].down_blocks[0]
    first, second = (layer.weight.std().item() for layer in (block.first, block.second))
    # He's standard deviation: the root of 2 over what a voxel of the result sees.
    assert first == pytest.approx((2 / (27 * 32)) ** 0.5, rel=0.05)
    assert second == pytest.approx(0.1 * first, rel=0.05)


def test_gradients_reach_every_parameter(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    losses = method.losses("unet", LOSSES, networks, batch, generated)
    weighted_sum(losses, method.weights("unet", 0)).backward()
    for name, parameter in networks["unet"].named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_nothing_outside_the_mask_changes_a_loss(make_batch):
    method, batch = make(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    outside = {name: torch.where(batch.mask > 0, x, 0.3) for name, x in generated.items()}
    first, second = (
        method.losses("unet", LOSSES, networks, batch, g) for g in (generated, outside)
    )
    assert {k: v.item() for k, v in first.items()} == {k: v.item() for k, v in second.items()}


def test_a_batch_outside_of_all_masks_has_finite_losses(make_batch):
    method, batch = make(), make_batch()
    empty = replace(batch, mask=0 * batch.mask, classes=0 * batch.classes)
    networks = method.build_networks(1)
    losses = method.losses("unet", LOSSES, networks, empty, method.generate(networks, empty))
    assert losses["cross_entropy"] == losses["l1"] == losses["dice"] == 0


def test_dice_is_pooled_over_the_batch_and_smoothed():
    classes = torch.zeros(2, 3, 1, 1, 5)
    classes[0, 0], classes[1, 1] = 1, 1
    p = torch.tensor([0.5, 0.3, 0.2]).view(1, 3, 1, 1, 1).expand(2, 3, 1, 1, 5)
    # Ten voxels, so s is 0.2; air and soft tissue have 5 each.
    dice = [
        (2 * 5 * 0.5 + 0.2) / (10 * 0.5 + 5 + 0.2),
        (2 * 5 * 0.3 + 0.2) / (10 * 0.3 + 5 + 0.2),
        0.2 / (10 * 0.2 + 0.2),
    ]
    assert pooled_dice_loss(p, classes, 0.02).item() == pytest.approx(1 - sum(dice) / 3)


def test_a_loss_without_weight_is_not_computed(make_batch):
    weights = {"cross_entropy": 1, "dice": 0, "l1": 0.5}
    method, batch = make(loss_weights=weights), make_batch()
    assert method.weights("unet", 0) == {"cross_entropy": 1.0, "l1": 0.5}
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    losses = method.losses("unet", method.weights("unet", 0), networks, batch, generated)
    assert losses.keys() == {"cross_entropy", "l1"}


def test_a_training_that_nothing_tells_the_classes_is_refused():
    with pytest.raises(ValueError, match="must not both be 0"):
        make(loss_weights={"cross_entropy": 0, "dice": 0})


def test_it_memorises_a_patch(make_batch, train_steps):
    batch = with_balls(make_batch())
    _, history = train_steps(make(), batch, steps=120, rate=5e-3)
    for name in LOSSES:
        assert history[-1][name] < history[0][name] / 2, name


def test_a_batch_of_two_has_the_mean_of_both_gradients(make_batch):
    # Of losses that are means over the patches: Dice is pooled, so it is none.
    method, batch = make(loss_weights={"dice": 0}), make_batch()
    networks = method.build_networks(1)

    def gradients(patches):
        networks["unet"].zero_grad()
        generated = method.generate(networks, patches)
        weights = method.weights("unet", 0)
        losses = method.losses("unet", weights, networks, patches, generated)
        weighted_sum(losses, weights).backward()
        return [p.grad.clone() for p in networks["unet"].parameters()]

    both = doubled_batch(batch)
    of_first, of_second = (
        gradients(replace(both, **{n: t[k : k + 1] for n, t in both.tensors.items()}))
        for k in range(2)
    )
    for first, second, mean in zip(of_first, of_second, gradients(both), strict=True):
        torch.testing.assert_close((first + second) / 2, mean, rtol=1e-4, atol=1e-5)


def test_it_predicts_both_and_probabilities_sum_to_one(make_batch):
    method, batch = make(), make_batch()
    prediction = method.predict(method.build_networks(1), batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    torch.testing.assert_close(prediction.probabilities.sum(dim=1), torch.ones(1, 16, 16, 16))
    assert method.settings.gives_classes
    assert method.settings.gives_microct


def test_validation_is_dice_plus_cross_entropy(make_batch):
    method, batch = make(), make_batch()
    losses = method.validation_losses(method.build_networks(1), batch)
    values = {name: loss.item() for name, loss in losses.items()}
    assert values.keys() == LOSSES
    assert method.validation_score(values) == values["dice"] + values["cross_entropy"]


def test_the_seed_decides_the_weights():
    first, again, other = (make().build_networks(s)["unet"].state_dict() for s in (1, 1, 2))
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert any(not torch.equal(weight, other[name]) for name, weight in first.items())


def test_a_patch_is_halved_once_a_resolution():
    assert make().settings.patch_multiple == make().settings.smallest_patch == 8
    assert make(widths=(4, 4)).settings.patch_multiple == 4


def test_with_a_prior_it_reads_the_votes_and_does_without(make_batch):
    method, batch = make(prior="classes"), make_batch(prior_channels=3)
    assert method.settings.prior_kind == "classes"
    assert make().settings.prior_kind is None
    networks = method.build_networks(1)
    assert networks["unet"].first.in_channels == 8 * 4
    seen = method.predict(networks, batch.known).probabilities
    without = method.predict(networks, replace(batch, prior=None).known).probabilities
    nobody = replace(batch, prior=torch.zeros_like(batch.prior))
    assert torch.equal(method.predict(networks, nobody.known).probabilities, without)
    assert not torch.allclose(seen, without)
