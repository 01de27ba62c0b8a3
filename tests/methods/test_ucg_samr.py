"""UCG-SAMR: what reaches which network, that it needs no pairs, and that it learns."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.methods.base import Batch, weighted_sum
from otosynth.methods.cg_samr import confidence_map_loss
from otosynth.methods.ucg_samr import domain_1

TINY = {
    "width": 4, "halvings": 2, "residual_blocks": 1, "discriminator_width": 4,
    "discriminator_blocks": 2,
}  # fmt: skip


@pytest.fixture
def method():
    return create_method(method_settings("ucg_samr", TINY))


@pytest.fixture
def batch(make_batch):
    """Patches of two ears, of which either has its own mask."""
    batch = make_batch(prior_channels=3, unpaired=True)
    microct_mask = torch.ones_like(batch.mask)
    microct_mask[:, :, :6] = 0
    return replace(batch, microct_mask=microct_mask)


@pytest.fixture
def balls(batch):
    """Two ears of balls round different centres: a level a class, and a blurred CT."""

    def ear(centre: float) -> tuple[torch.Tensor, torch.Tensor]:
        axis = torch.arange(16) - centre
        radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
        thirds = radius.flatten().quantile(torch.tensor([1 / 3, 2 / 3]))
        labels = (radius > thirds[0]).long() + (radius > thirds[1]).long()
        votes = torch.nn.functional.one_hot(labels, 3).permute(3, 0, 1, 2)[None].float()
        return torch.tensor([-0.9, 0.1, 0.9])[labels][None, None], votes

    image, votes = ear(7.0)
    ct = torch.nn.functional.avg_pool3d(image, 3, 1, 1)
    return replace(batch, ct=ct, prior=votes, microct=ear(9.0)[0])


def test_gradients_reach_all_that_a_player_trains_and_nothing_else(method, batch):
    torch.set_deterministic_debug_mode("error")
    try:
        networks = method.build_networks(1)
        assert sorted(sum(method.players.values(), ())) == sorted(networks)
        generated = method.generate(networks, batch)
        for player, own in method.players.items():
            for name, network in networks.items():
                network.zero_grad(set_to_none=True)
                network.requires_grad_(name in own)
            weights = method.weights(player, 0)
            losses = method.losses(player, weights, networks, batch, generated)
            weighted_sum(losses, weights).backward()
            for name, network in networks.items():
                for key, parameter in network.named_parameters():
                    if name not in own:
                        assert parameter.grad is None, (player, name, key)
                        continue
                    assert parameter.grad.isfinite().all(), (player, name, key)
                    # A bias before an instance norm has no effect, and so no gradient.
                    if parameter.dim() > 1:
                        assert parameter.grad.abs().max() > 0, (player, name, key)
    finally:
        torch.set_deterministic_debug_mode("default")


def test_domain_1_is_the_ct_and_the_probabilities_from_minus_1_to_1(batch):
    x = domain_1(batch.ct, batch.prior)
    assert x.shape == (1, 4, 16, 16, 16)
    assert torch.equal(x[:, :1], batch.ct)
    torch.testing.assert_close((x[:, 1:] + 1) / 2, batch.prior)
    with pytest.raises(ValueError, match="prior"):
        domain_1(batch.ct, None)


def test_the_streams_are_those_of_figure_5(method, batch):
    networks = method.build_networks(1)
    streams = method.generate(networks, batch)
    e1, f1, e2, f2 = (networks[name] for name in method.players["translators"])
    x = domain_1(batch.ct, batch.prior)
    y = torch.where(batch.microct_mask > 0, batch.microct, -1.0)
    x12 = torch.where(batch.mask > 0, f2(e1(x))[0], -1.0)
    y21 = torch.where(batch.microct_mask > 0, f1(e2(y)), -1.0)
    torch.testing.assert_close(streams["x11"], f1(e1(x)))
    torch.testing.assert_close(streams["y22"], f2(e2(y))[0])
    torch.testing.assert_close(streams["x121"], f1(e2(x12)))
    for key, value in zip(("", " half", " confidence"), f2(e1(y21)), strict=True):
        torch.testing.assert_close(streams[f"y212{key}"], value)


def test_the_losses_are_equations_7_to_9(method, batch):
    networks = method.build_networks(1)
    streams = method.generate(networks, batch)
    weights = method.weights("translators", 0)
    assert weights == {"reconstruction": 1, "adversarial": 1, "cycle": 1, "confidence": 1}
    losses = method.losses("translators", weights, networks, batch, streams)
    x, in_x = domain_1(batch.ct, batch.prior), batch.mask.expand(-1, 4, -1, -1, -1) > 0
    y, in_y = batch.microct, batch.microct_mask > 0

    def l1(a, b, inside):
        return (a - b).abs()[inside].mean().item()

    reconstruction = l1(x, streams["x11"], in_x) + l1(y, streams["y22"], in_y)
    cycle = l1(x, streams["x121"], in_x) + l1(y, streams["y212"], in_y)
    assert losses["reconstruction"].item() == pytest.approx(reconstruction)
    assert losses["cycle"].item() == pytest.approx(cycle)
    confidence = sum(
        confidence_map_loss(
            method.settings, streams[f"{s} half"], streams[f"{s} confidence"], y,
            batch.microct_mask,
        ).item()
        for s in ("y22", "y212")
    )  # fmt: skip
    assert losses["confidence"].item() == pytest.approx(confidence)
    verdicts = (
        networks["discriminator_1"](torch.where(in_y, streams["y21"], -1.0)),
        networks["discriminator_2"](torch.where(batch.mask > 0, streams["x12"], -1.0)),
    )
    adversarial = sum(((verdict - 1) ** 2).mean().item() for verdict in verdicts)
    assert losses["adversarial"].item() == pytest.approx(adversarial)


def test_losses_without_a_weight_are_not_computed(batch):
    without = {"confidence": 0, "adversarial": 0}
    method = create_method(method_settings("ucg_samr", TINY | {"loss_weights": without}))
    weights = method.weights("translators", 0)
    assert weights.keys() == {"reconstruction", "cycle"}
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    assert (
        method.losses("translators", weights, networks, batch, generated).keys() == weights.keys()
    )


def test_nothing_outside_the_masks_reaches_a_loss(method, batch):
    """Neither a micro-CT outside its mask, nor a CT's reconstruction outside that of the CT."""
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    changed = replace(batch, microct=torch.where(batch.microct_mask > 0, batch.microct, 0.7))
    again = method.generate(networks, changed)
    for key, value in generated.items():
        assert torch.equal(value, again[key]), key
    in_1, in_2 = batch.mask > 0, batch.microct_mask > 0
    masks = {"x11": in_1, "x12": in_1, "x121": in_1, "y21": in_2, "y22": in_2, "y212": in_2}
    other = {
        key: torch.where(masks[key], value, 0.3) if key in masks else value
        for key, value in generated.items()
    }
    for player in method.players:
        weights = method.weights(player, 0)
        before = method.losses(player, weights, networks, batch, generated)
        after = method.losses(player, weights, networks, changed, other)
        for loss in before:
            assert before[loss].item() == after[loss].item(), loss


def test_the_selected_epoch_depends_on_no_pair(method, batch):
    """The L1 to the ear's own micro-CT is for the table alone."""
    one_ear = Batch(batch.ct, batch.microct, batch.mask, batch.classes, batch.prior)
    networks = method.build_networks(1)
    with torch.no_grad():
        losses = method.validation_losses(networks, one_ear)
        streams = method.generate(networks, one_ear)
    assert losses.keys() == {"reconstruction", "cycle", "l1"}
    l1 = (batch.microct - streams["x12"]).abs()[batch.mask > 0].mean()
    assert losses["l1"].item() == pytest.approx(l1.item())
    values = {"reconstruction": 2.0, "cycle": 3.0, "l1": 100.0}
    assert method.validation_score(values) == 5.0


def test_an_epoch_cannot_be_selected_by_nothing():
    with pytest.raises(ValidationError, match="reconstruction and cycle"):
        method_settings("ucg_samr", {"loss_weights": {"reconstruction": 0, "cycle": 0}})


def test_it_predicts_a_microct_alone(method, batch):
    networks = method.build_networks(1)
    prediction = method.predict(networks, batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    assert prediction.probabilities is None
    assert torch.equal(prediction.microct, method.generate(networks, batch)["x12"])


@pytest.mark.parametrize("norm", ["layer", "instance"])
@pytest.mark.parametrize("changes", [{}, {"halvings": 3}, {"discriminator_blocks": 3}])
def test_the_smallest_patch_is_large_enough(make_batch, norm, changes):
    method = create_method(method_settings("ucg_samr", TINY | {"norm": norm} | changes))
    edge = method.settings.smallest_patch
    assert edge % method.settings.patch_multiple == 0
    batch = make_batch(edge, prior_channels=3, unpaired=True)
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    for player in method.players:
        weights = method.weights(player, 0)
        losses = method.losses(player, weights, networks, batch, generated)
        assert weighted_sum(losses, weights).isfinite()


def test_the_default_settings_are_unpaired_and_suit_patches_of_32():
    settings = method_settings("ucg_samr", {})
    assert settings.smallest_patch <= 32
    assert not settings.paired
    assert settings.prior_kind == "classes"


def test_losses_are_float32_in_half_precision(method, batch):
    networks = method.build_networks(1)
    with torch.autocast("cpu", torch.bfloat16):
        generated = method.generate(networks, batch)
        for player in method.players:
            weights = method.weights(player, 0)
            losses = method.losses(player, weights, networks, batch, generated)
            assert all(v.isfinite() and v.dtype == torch.float32 for v in losses.values())


def test_it_memorises_two_patches(balls, train_steps):
    # Instance norm learns a single patch in half the steps.
    method = create_method(method_settings("ucg_samr", TINY | {"norm": "instance"}))
    _, history = train_steps(method, balls, 40, rate=3e-3)
    for loss in ("reconstruction", "cycle"):
        assert history[-1][loss] < 0.5 * history[0][loss], loss
    assert history[-1]["confidence"] < history[0]["confidence"]


def test_each_discriminator_judges_its_own_domain(method, batch):
    """Eq. 8: D1 knows x from the translated y, D2 knows y from the translated x."""
    networks = method.build_networks(1)
    streams = method.generate(networks, batch)
    weights = method.weights("discriminators", 0)
    found = method.losses("discriminators", weights, networks, batch, streams)["discriminators"]

    def error(name, image, mask, target):
        verdict = networks[name](torch.where(mask > 0, image, -1.0))
        return (verdict - target).square().mean()

    x = torch.cat([batch.ct, 2 * batch.prior - 1], dim=1)
    expected = (
        error("discriminator_1", x, batch.mask, 1)
        + error("discriminator_1", streams["y21"], batch.microct_mask, 0)
        + error("discriminator_2", batch.microct, batch.microct_mask, 1)
        + error("discriminator_2", streams["x12"], batch.mask, 0)
    ) / 2
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
