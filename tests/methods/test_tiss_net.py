"""tiss_net: G and S learn together, S_p stays frozen, and only voxels inside the mask count."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from otosynth.configuration.methods import method_settings
from otosynth.losses.thesis import dice_loss
from otosynth.methods import create_method
from otosynth.methods.base import Batch, weighted_sum
from otosynth.networks.unet import UNet

TINY = {"width": 4, "levels": 2, "discriminator_blocks": 2, "tissue_margin_mm": 0.1}
GENERATOR_LOSSES = {
    "l1", "tissue_l1", "adversarial", "tissue_adversarial", "perceptibility", "coarse", "fine",
    "error", "consistency",
}  # fmt: skip


def make_method(**changes):
    """A tiny TISS-Net with a frozen S_p."""
    method = create_method(method_settings("tiss_net", TINY | changes))
    lender = create_method(method_settings("microct_segmentor", {"width": 4, "levels": 2}))
    networks = lender.build_networks(2)
    for network in networks.values():
        network.eval().requires_grad_(False)
    method.required["microct_segmentor"] = networks
    method.voxel_mm = 0.1
    return method


def all_losses(method, networks, batch, generated):
    return {
        name: loss.item()
        for player in method.players
        for name, loss in method.losses(
            player, method.weights(player, 0), networks, batch, generated
        ).items()
    }


@pytest.mark.parametrize("player", ["generator", "discriminators"])
def test_each_player_s_losses_reach_all_its_weights_and_no_others(make_batch, player):
    method, batch = make_method(levels=3), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    weights = method.weights(player, 0)
    for name, network in networks.items():
        network.requires_grad_(name in method.players[player])
    losses = method.losses(player, weights, networks, batch, generated)
    assert losses.keys() == weights.keys()
    weighted_sum(losses, weights).backward()
    for name, network in networks.items():
        for key, parameter in network.named_parameters():
            if name not in method.players[player]:
                assert parameter.grad is None, (name, key)
                continue
            assert torch.isfinite(parameter.grad).all(), (name, key)
            # The instance norm in D takes a bias away again.
            if player == "generator" or key.endswith("weight"):
                assert parameter.grad.abs().max() > 1e-7, (name, key)


def test_perceptibility_teaches_the_micro_ct_of_g_and_leaves_s_p_alone(make_batch):
    method, batch = make_method(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    weights = method.weights("generator", 0)
    losses = method.losses("generator", weights, networks, batch, generated)
    losses["perceptibility"].backward()
    image, coarse = networks["generator"].decoders
    assert image.last.weight.grad.abs().max() > 0
    assert coarse.last.weight.grad is None
    frozen = method.required["microct_segmentor"]["segmentor"]
    assert all(parameter.grad is None for parameter in frozen.parameters())


def test_the_losses_of_s_reach_g(make_batch):
    """Eq. 10 is end to end."""
    method, batch = make_method(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    weights = method.weights("generator", 0)
    method.losses("generator", weights, networks, batch, generated)["fine"].backward()
    for decoder in networks["generator"].decoders:
        assert decoder.last.weight.grad.abs().max() > 0


def test_nothing_outside_the_mask_changes_a_loss(make_batch):
    """The CT's context aside, which G and S read in prediction too."""
    method, batch = make_method(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    ct, microct = (torch.where(batch.mask > 0, v, 0.77) for v in (batch.ct, batch.microct))
    outside = {name: torch.where(batch.mask > 0, v, 0.3) for name, v in generated.items()}
    first = all_losses(method, networks, batch, generated)
    second = all_losses(method, networks, replace(batch, ct=ct, microct=microct), outside)
    assert first.keys() == GENERATOR_LOSSES | {"discriminator", "tissue_discriminator"}
    assert first == second


def test_the_weights_are_the_paper_s():
    weights = make_method().weights("generator", 0)
    assert weights.keys() == GENERATOR_LOSSES
    assert [weights[n] for n in ("l1", "tissue_l1", "perceptibility", "coarse")] == [50, 200, 25, 1]
    assert [weights[n] for n in ("fine", "error", "consistency")] == [25, 25, 25]


def test_a_loss_without_weight_is_not_computed_and_its_discriminator_rests(make_batch):
    off = {"tissue_l1": 0, "tissue_adversarial": 0, "perceptibility": 0, "coarse": 0}
    method, batch = make_method(loss_weights=off), make_batch()
    method.required.clear()
    networks = method.build_networks(1)
    losses = all_losses(method, networks, batch, method.generate(networks, batch))
    named = {"l1", "adversarial", "fine", "error", "consistency", "discriminator"}
    assert losses.keys() == named
    with pytest.raises(ValidationError, match="segmentor"):
        make_method(loss_weights={"segmentor": 0})


def test_it_needs_s_p_for_training_alone(make_batch):
    method, batch = make_method(), make_batch()
    assert method.settings.requires == ("microct_segmentor",)
    method.required.clear()
    networks = method.build_networks(1)
    losses = method.validation_losses(networks, batch)
    assert losses.keys() == {"l1", "weighted_l1", "dice", "dice_coarse"}
    values = {name: loss.item() for name, loss in losses.items()}
    assert method.validation_score(values) == values["dice"]
    prediction = method.predict(networks, batch.known)
    assert prediction.microct.shape == (1, 1, 16, 16, 16)
    assert prediction.microct.abs().max() <= 1
    assert prediction.probabilities.shape == (1, 3, 16, 16, 16)
    assert torch.allclose(prediction.probabilities.sum(dim=1), torch.ones(1, 16, 16, 16))


def blocks_of_classes(first: int) -> torch.Tensor:
    """Eight blocks of 4^3 voxels, one-hot (1, 3, 8, 8, 8); the classes take turns."""
    numbers = (torch.arange(8) + first) % 3
    labels = torch.nn.functional.one_hot(numbers, 3).T.reshape(1, 3, 2, 2, 2).float()
    return torch.nn.Upsample(scale_factor=4)(labels)


def shown(classes: torch.Tensor, contrast: float) -> torch.Tensor:
    """An image in which each class has its grey."""
    return contrast * (classes[:, 2:] - classes[:, :1])


def test_it_memorises_a_patch(train_steps):
    classes = blocks_of_classes(0)
    batch = Batch(shown(classes, 0.4), shown(classes, 0.8), torch.ones(1, 1, 8, 8, 8), classes)
    method = make_method(width=8, discriminator_blocks=1)
    torch.set_deterministic_debug_mode("error")
    try:
        _, history = train_steps(method, batch, 150, rate=1e-3)
    finally:
        torch.set_deterministic_debug_mode("default")
    first, last = history[0], history[-1]
    for name in ("l1", "tissue_l1"):
        assert last[name] < 0.5 * first[name], name
    assert last["fine"] < 0.75 * first["fine"]
    assert last["coarse"] < 0.9 * first["coarse"]


def test_m_is_what_lies_within_half_a_millimetre_of_soft_tissue(make_batch):
    """Eq. 4's L1 and what D_t sees, with one voxel of soft tissue on a grid of 0.12 mm."""
    method = make_method(tissue_margin_mm=0.5)
    method.voxel_mm = 0.12
    classes = torch.zeros(1, 3, 16, 16, 16)
    classes[:, 2] = 1
    classes[:, :, 8, 8, 8] = torch.tensor([0.0, 1.0, 0.0])
    batch = make_batch()
    batch = replace(batch, mask=torch.ones_like(batch.mask), classes=classes)
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    tissue = torch.zeros_like(batch.mask)
    tissue[..., 4:13, 4:13, 4:13] = 1
    found = all_losses(method, networks, batch, generated)
    difference = (batch.microct - generated["microct"]).abs()
    assert found["l1"] == pytest.approx(difference.mean().item(), rel=1e-5)
    assert found["tissue_l1"] == pytest.approx((difference * tissue).mean().item(), rel=1e-5)
    real, fake = (
        networks["tissue_discriminator"](torch.cat([batch.ct, image], dim=1) * tissue)
        for image in (batch.microct, generated["microct"])
    )
    says_real = (fake - 1).square().mean().item()
    assert found["tissue_adversarial"] == pytest.approx(says_real, rel=1e-5)
    told_apart = ((real - 1).square().mean() + fake.square().mean()).item()
    assert found["tissue_discriminator"] == pytest.approx(told_apart, rel=1e-5)


def test_the_fine_classes_are_the_class_map_and_select_the_epoch(make_batch):
    method, batch = make_method(), make_batch()
    networks = method.build_networks(1)
    generated = method.generate(networks, batch)
    assert not torch.equal(generated["fine"], generated["coarse"])
    assert torch.equal(method.predict(networks, batch.known).probabilities, generated["fine"])
    losses = method.validation_losses(networks, batch)
    assert losses["dice"].item() == dice_loss(generated["fine"], batch.classes).item()
    assert method.validation_score({"dice": 0.25, "dice_coarse": 0.5}) == 0.25


def test_second_decoders_cost_as_much_as_in_the_paper():
    """Section 5: 126.96 million weights in place of 81.06 million (2.5D; here in 3D)."""

    def weights(*networks):
        return sum(p.numel() for network in networks for p in network.parameters())

    method = make_method(width=16, levels=3, discriminator_blocks=3)
    networks = method.build_networks(1)
    norm = method.settings.norm
    plain = UNet(1, (1,), 16, 3, norm), UNet(2, (3,), 16, 3, norm), networks["discriminator"]
    assert weights(*networks.values()) / weights(*plain) == pytest.approx(126.96 / 81.06, rel=0.03)
