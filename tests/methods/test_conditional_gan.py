"""single_task and multi_task: what D sees, which losses count, what selects the epoch."""

import pytest
import torch

from otosynth.methods import create_method
from otosynth.methods.base import Batch, weighted_sum


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(0)
    ct, microct = (torch.rand(1, 1, 16, 16, 16, generator=random) * 2 - 1 for _ in range(2))
    mask = torch.ones_like(ct)
    mask[..., :6] = 0
    labels = torch.randint(0, 3, (1, 16, 16, 16), generator=random)
    classes = torch.nn.functional.one_hot(labels, 3).permute(0, 4, 1, 2, 3).float() * mask
    return Batch(ct, microct, mask, classes)


def changed_outside(batch):
    """The same patch with other intensities outside the mask."""
    ct, microct = (torch.where(batch.mask > 0, v, 0.77) for v in (batch.ct, batch.microct))
    return Batch(ct, microct, batch.mask, batch.classes)


@pytest.mark.parametrize("name", ["single_task", "multi_task"])
def test_nothing_outside_the_mask_reaches_d_or_a_loss(tiny_settings, batch, name):
    method = create_method(tiny_settings(name))
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    outside = {key: torch.where(batch.mask > 0, v, 0.3) for key, v in generated.items()}
    assert not torch.equal(outside["microct"], generated["microct"])
    for player in method.players:
        wanted = method.weights(player, 0)
        first = method.losses(player, wanted, networks, batch, generated)
        second = method.losses(player, wanted, networks, changed_outside(batch), outside)
        assert first.keys() == second.keys()
        for loss in first:
            assert first[loss].item() == second[loss].item(), loss


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("single_task", {"adversarial": 1, "weighted_l1": 5, "perception": 10}),
        ("multi_task", {"adversarial": 1, "weighted_l1": 5, "perception": 5, "dice": 10}),
    ],
)
def test_the_generator_s_losses_are_equations_5_and_6(tiny_settings, batch, name, weights):
    method = create_method(tiny_settings(name))
    networks = method.build_networks(1)
    assert method.weights("generator", 0) == weights
    generated = method.generate(networks, batch)
    losses = method.losses("generator", weights, networks, batch, generated)
    expected = sum(weights[loss] * losses[loss].item() for loss in losses)
    assert weighted_sum(losses, weights).item() == pytest.approx(expected)


def test_each_method_is_selected_by_its_own_losses(tiny_settings):
    losses = {"weighted_l1": 1.0, "perception": 0.1, "dice": 0.01}
    single = create_method(tiny_settings("single_task"))
    multi = create_method(tiny_settings("multi_task"))
    assert single.validation_score(losses) == pytest.approx(5 * 1.0 + 10 * 0.1)
    assert multi.validation_score(losses) == pytest.approx(5 * 1.0 + 10 * 0.01)


def test_only_multi_task_predicts_classes(tiny_settings, batch):
    for name in ("single_task", "multi_task"):
        method = create_method(tiny_settings(name))
        prediction = method.predict(method.build_networks(1), batch.known)
        assert prediction.microct.shape == (1, 1, 16, 16, 16)
        assert prediction.microct.abs().max() <= 1
        assert (prediction.probabilities is not None) == (name == "multi_task")


def test_the_losses_are_what_d_says_of_its_pairs(tiny_settings, batch):
    """Eq. 1 on (x, y) and (x, G(x)); Eq. 3 on the hidden layers of (y, y) and (G(x), G(x))."""
    method = create_method(tiny_settings("single_task", adversarial="least_squares"))
    networks = {name: network.eval() for name, network in method.build_networks(1).items()}
    generated = method.generate(networks, batch)
    discriminator = networks["discriminator"]

    def pair(*images):
        return torch.where(batch.mask > 0, torch.cat(images, dim=1), -1.0)

    y, fake = batch.microct, generated["microct"]
    on_real, on_fake = (discriminator(pair(batch.ct, image)) for image in (y, fake))
    layers = zip(
        discriminator.features(pair(y, y)), discriminator.features(pair(fake, fake)), strict=True
    )
    found = {
        name: loss.item()
        for player in method.players
        for name, loss in method.losses(
            player, method.weights(player, 0), networks, batch, generated
        ).items()
    }
    says_real = (on_fake - 1).square().mean().item()
    assert found["adversarial"] == pytest.approx(says_real, rel=1e-5)
    told_apart = ((on_real - 1).square().mean() + on_fake.square().mean()).item() / 2
    assert found["discriminator"] == pytest.approx(told_apart, rel=1e-5)
    perception = sum((r - f).abs().mean().item() for r, f in layers)
    assert found["perception"] == pytest.approx(perception, rel=1e-5)


@pytest.mark.parametrize("name", ["single_task", "multi_task"])
def test_gradients_reach_all_that_a_player_trains_and_nothing_else(tiny_settings, batch, name):
    method = create_method(tiny_settings(name))
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    for player, own in method.players.items():
        for key, network in networks.items():
            network.zero_grad(set_to_none=True)
            network.requires_grad_(key in own)
        weights = method.weights(player, 0)
        losses = method.losses(player, weights, networks, batch, generated)
        weighted_sum(losses, weights).backward()
        for key, network in networks.items():
            for part, parameter in network.named_parameters():
                if key not in own:
                    assert parameter.grad is None, (player, key, part)
                    continue
                assert parameter.grad.isfinite().all(), (player, key, part)
                # A bias before an instance norm has no effect, and so no gradient.
                if parameter.dim() > 1:
                    assert parameter.grad.abs().max() > 0, (player, key, part)


@pytest.mark.parametrize("name", ["single_task", "multi_task"])
def test_it_memorises_a_patch(tiny_settings, batch, train_steps, name):
    axis = torch.arange(16) - 7.5
    radius = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2).sqrt()
    labels = (radius > 5).long() + (radius > 8).long()
    classes = torch.nn.functional.one_hot(labels, 3).permute(3, 0, 1, 2)[None].float()
    microct = torch.tensor([-0.9, 0.1, 0.9])[labels][None, None]
    ct = torch.nn.functional.avg_pool3d(microct, 3, 1, 1)
    ball = Batch(ct, microct, torch.ones_like(ct), classes)
    method = create_method(tiny_settings(name, width=8, norm="layer", dropout=0.0))
    networks, history = train_steps(method, ball, 100)
    # D learns, too, so the losses fall and rise; what G shows is what it has learned.
    assert history[-1]["weighted_l1"] < 0.5 * history[0]["weighted_l1"]
    prediction = method.predict(networks, ball.known)
    images = torch.stack([prediction.microct.flatten(), microct.flatten()])
    assert torch.corrcoef(images)[0, 1] > 0.85
    if name == "multi_task":
        found = prediction.probabilities.argmax(dim=1)
        assert (found == labels).float().mean() > 0.9
