"""CG-SAMR: what reaches which network, the confidence's schedule, and that it learns."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from otosynth.configuration.methods import method_settings
from otosynth.losses import cg_samr as terms
from otosynth.methods import create_method
from otosynth.methods.base import CtPatch, weighted_sum
from otosynth.methods.cg_samr import confidence_map_loss

TINY = {
    "width": 4, "halvings": 2, "residual_blocks": 1, "discriminator_width": 4,
    "discriminator_blocks": 2, "segmentor_width": 4, "segmentor_levels": 2,
}  # fmt: skip


@pytest.fixture
def method():
    return create_method(method_settings("cg_samr", TINY))


@pytest.fixture
def batch(make_batch):
    return make_batch(prior_channels=1)


@pytest.fixture
def ball(make_batch):
    """An ear of balls: the micro-CT is a level a class, CT and prior are blurred."""
    batch = make_batch(prior_channels=1)
    axis = torch.arange(16) - 7.0
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
    # As many voxels of each class, so that no constant comes near.
    thirds = radius[..., 4:].flatten().quantile(torch.tensor([1 / 3, 2 / 3]))
    labels = (radius > thirds[0]).long() + (radius > thirds[1]).long()
    classes = torch.nn.functional.one_hot(labels, 3).permute(3, 0, 1, 2)[None].float()
    microct = torch.tensor([-0.9, 0.1, 0.9])[labels][None, None]
    ct = torch.nn.functional.avg_pool3d(microct, 3, 1, 1)
    return replace(batch, ct=ct, prior=ct, microct=microct, classes=classes * batch.mask)


def all_losses(method, networks, batch, generated):
    for player in method.players:
        weights = method.weights(player, 0)
        yield player, method.losses(player, weights, networks, batch, generated), weights


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


def test_nothing_outside_the_mask_reaches_a_loss(method, batch):
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    inside, inside_half = batch.mask > 0, terms.mask_halved(batch.mask) > 0
    other = {
        key: torch.where(inside if key == "microct" else inside_half, value, 0.3)
        for key, value in generated.items()
    }
    assert not torch.equal(other["microct"], generated["microct"])
    changed = replace(
        batch,
        ct=torch.where(inside, batch.ct, 0.77),
        prior=torch.where(inside, batch.prior, 0.77),
        microct=torch.where(inside, batch.microct, torch.nan),
    )
    first = all_losses(method, networks, batch, generated)
    second = all_losses(method, networks, changed, other)
    for (_, before, _), (_, after, _) in zip(first, second, strict=True):
        assert before.keys() == after.keys()
        for loss in before:
            assert before[loss].item() == after[loss].item(), loss


def test_the_losses_are_weighted_as_in_equation_6(method, batch):
    expected = {"adversarial": 1, "feature_matching": 5, "shape": 1, "confidence": 1}
    assert method.weights("generator", 0) == expected
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    some = method.losses("generator", ["shape"], networks, batch, generated)
    assert list(some) == ["shape"]


def test_without_a_shape_loss_nothing_would_train_the_segmentor():
    with pytest.raises(ValidationError, match="shape"):
        method_settings("cg_samr", {"loss_weights": {"shape": 0}})


def test_six_discriminators_see_one_class_at_one_scale_each(method, batch):
    networks = method.build_networks(1)
    judges = networks["discriminators"]
    names = ["air_full", "air_half", "soft_full", "soft_half", "bone_full", "bone_half"]
    assert list(judges.by_name) == names
    pair = torch.cat([batch.ct, batch.prior, batch.microct], dim=1)
    soft_changed = torch.where(batch.classes[:, 1:2] > 0, 0.5, pair)
    before, after = judges(pair, batch.classes), judges(soft_changed, batch.classes)
    moved = [not torch.equal(a[-1], b[-1]) for a, b in zip(before, after, strict=True)]
    assert moved == [False, False, True, True, False, False]
    assert [layers[0].shape[-1] for layers in before] == [8, 4] * 3
    # Two hidden layers and the verdict.
    assert {len(layers) for layers in before} == {3}


@pytest.mark.parametrize(("confidence", "expected"), [(0.69, 0.1), (0.71, 0.03)])
def test_the_weight_of_the_confidence_falls_when_it_is_high(method, batch, confidence, expected):
    half = torch.zeros(1, 1, 8, 8, 8)
    sure = torch.full_like(half, confidence)
    loss = confidence_map_loss(method.settings, half, sure, batch.microct, batch.mask)
    by_hand = terms.confidence_loss(half, sure, batch.microct, batch.mask, expected)
    assert loss.item() == pytest.approx(by_hand.item())


def test_the_half_image_reaches_the_result_only_where_it_is_sure(method, batch):
    networks = method.build_networks(1)
    decoder = networks["generator"].decoder
    with torch.no_grad():
        decoder.confidence[-1].weight.zero_()
        decoder.confidence[-1].bias.fill_(-200)
        unsure = method.generate(networks, batch)
        decoder.synthesis[-1].bias.fill_(1)
        other = method.generate(networks, batch)
    assert unsure["confidence"].max() == 0
    assert not torch.equal(unsure["half"], other["half"])
    assert torch.equal(unsure["microct"], other["microct"])


def test_it_predicts_a_microct_and_classes(method, batch):
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    assert generated["half"].shape == generated["confidence"].shape == (1, 1, 8, 8, 8)
    assert 0 < generated["confidence"].min() < generated["confidence"].max() < 1
    prediction = method.predict(networks, batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    assert prediction.probabilities.shape == (1, 3, 16, 16, 16)
    torch.testing.assert_close(prediction.probabilities.sum(dim=1), torch.ones(1, 16, 16, 16))
    # U sees air outside the mask, as it does in training.
    shown = torch.where(batch.mask > 0, prediction.microct, -1.0)
    expected = torch.softmax(networks["segmentor"](shown)[0].float(), dim=1)
    torch.testing.assert_close(prediction.probabilities, expected)
    with pytest.raises(ValueError, match="prior"):
        method.predict(networks, CtPatch(batch.ct, batch.mask))


@pytest.mark.parametrize("norm", ["layer", "instance"])
@pytest.mark.parametrize(
    "changes", [{}, {"halvings": 4}, {"segmentor_levels": 5}, {"discriminator_blocks": 1}]
)
def test_the_smallest_patch_is_large_enough(make_batch, norm, changes):
    method = create_method(method_settings("cg_samr", TINY | {"norm": norm} | changes))
    edge = method.settings.smallest_patch
    assert edge % method.settings.patch_multiple == 0
    batch = make_batch(edge, prior_channels=1)
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    for _, losses, weights in all_losses(method, networks, batch, generated):
        assert weighted_sum(losses, weights).isfinite()


def test_the_default_settings_suit_patches_of_32():
    settings = method_settings("cg_samr", {})
    assert settings.smallest_patch <= 32
    assert 32 % settings.patch_multiple == 0
    assert settings.paired
    assert settings.prior_kind == "microct"


def test_all_is_the_same_under_a_seed_and_in_half_precision_finite(method, batch):
    states = [method.build_networks(seed)["generator"].state_dict() for seed in (1, 1, 2)]
    first, again, other = (state["encoder.layers.0.weight"] for state in states)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    networks = method.build_networks(1)
    with torch.autocast("cpu", torch.bfloat16):
        generated = method.generate(networks, batch)
        for _, losses, _ in all_losses(method, networks, batch, generated):
            assert all(v.isfinite() and v.dtype == torch.float32 for v in losses.values())


def test_it_memorises_a_patch(ball, train_steps):
    # Wider judges: no loss of Eq. 6 compares the whole image but through their features.
    method = create_method(method_settings("cg_samr", TINY | {"discriminator_width": 16}))
    with torch.no_grad():
        before = method.validation_losses(method.build_networks(1), ball)
    networks, history = train_steps(method, ball, 40)
    with torch.no_grad():
        after = method.validation_losses(networks, ball)
    assert after["l1"] < 0.5 * before["l1"]
    assert after["dice"] < before["dice"]
    for loss in ("confidence", "shape"):
        assert history[-1][loss] < history[0][loss], loss


def test_an_epoch_is_selected_as_for_multi_task(method, ball):
    with torch.no_grad():
        losses = method.validation_losses(method.build_networks(1), ball)
    assert losses.keys() == {"weighted_l1", "dice", "l1"}
    values = {"weighted_l1": 0.1, "dice": 0.02, "l1": 100.0}
    assert method.validation_score(values) == pytest.approx(5 * 0.1 + 10 * 0.02)


def test_each_loss_is_what_its_equation_says_of_the_networks(method, batch):
    """Eq. 2, 3 and 5, from what the networks make of (x, y) and of (x, G(x))."""
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    fake, real = generated["microct"].detach(), batch.microct

    def judged(microct):
        return networks["discriminators"](
            torch.cat([batch.ct, batch.prior, microct], dim=1), batch.classes
        )

    def dice_of_u(microct):
        inside = torch.where(batch.mask > 0, microct, -1.0)
        probabilities = torch.softmax(networks["segmentor"](inside)[0], dim=1)
        return terms.generalised_dice_loss(batch.classes, probabilities)

    on_real, on_fake = judged(real), judged(fake)
    says_real = [sum((d[-1] - 1).square().mean() for d in layers) for layers in (on_real, on_fake)]
    fakes = sum(d[-1].square().mean() for d in on_fake)
    matched = sum(
        (r - f).square().mean()
        for reals, others in zip(on_real, on_fake, strict=True)
        for r, f in zip(reals, others, strict=True)
    )
    found = {
        name: loss.item()
        for _, losses, _ in all_losses(method, networks, batch, generated)
        for name, loss in losses.items()
    }
    assert found["adversarial"] == pytest.approx(says_real[1].item(), rel=1e-5)
    assert found["discriminators"] == pytest.approx(((says_real[0] + fakes) / 2).item(), rel=1e-5)
    assert found["feature_matching"] == pytest.approx(matched.item(), rel=1e-5)
    expected = dice_of_u(real) + dice_of_u(fake)
    assert found["shape"] == pytest.approx(expected.item(), rel=1e-5)
