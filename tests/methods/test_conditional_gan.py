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
