"""Tiny batches and trials that every method's tests share."""

import pytest
import torch
from torch.nn.functional import one_hot

from otosynth.methods.base import Batch, Method, UnpairedBatch, weighted_sum


def channels_of(labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One-hot classes inside the mask, (1, 3, z, y, x)."""
    return one_hot(labels, 3).permute(0, 4, 1, 2, 3).float() * mask


@pytest.fixture
def make_batch():
    """Random patches; a border of the first is outside its mask."""

    def make(edge: int = 16, prior_channels: int = 0, unpaired: bool = False) -> Batch:
        random = torch.Generator().manual_seed(0)

        def image(channels: int = 1) -> torch.Tensor:
            return torch.rand(1, channels, edge, edge, edge, generator=random) * 2 - 1

        def labels() -> torch.Tensor:
            return torch.randint(0, 3, (1, edge, edge, edge), generator=random)

        mask = torch.ones(1, 1, edge, edge, edge)
        mask[..., :4] = 0
        prior = (image(prior_channels) + 1) / 2 if prior_channels else None
        paired = {
            "ct": image(), "microct": image(), "mask": mask,
            "classes": channels_of(labels(), mask), "prior": prior,
        }  # fmt: skip
        if not unpaired:
            return Batch(**paired)
        other = torch.ones_like(mask)
        return UnpairedBatch(
            **paired, microct_mask=other, microct_classes=channels_of(labels(), other)
        )

    return make


def step(method: Method, networks, optimisers, batch: Batch, epoch: int = 0) -> dict[str, float]:
    """Step every player once, as the trainer does; return all losses."""
    values: dict[str, float] = {}
    generated = method.generate(networks, batch)
    for player, names in method.players.items():
        weights = method.weights(player, epoch)
        if not weights:
            continue
        for name, network in networks.items():
            network.requires_grad_(name in names)
        losses = method.losses(player, weights, networks, batch, generated)
        assert losses.keys() == weights.keys()
        optimisers[player].zero_grad(set_to_none=True)
        weighted_sum(losses, weights).backward()
        optimisers[player].step()
        values |= {name: loss.item() for name, loss in losses.items()}
    return values


@pytest.fixture
def train_steps():
    """Train a method on one batch for some steps; return the networks and all steps' losses."""

    def train(method: Method, batch: Batch, steps: int, rate: float = 1e-3, epoch: int = 0):
        torch.manual_seed(0)
        networks = method.build_networks(1)
        optimisers = {
            player: torch.optim.Adam(
                [p for name in names for p in networks[name].parameters()], rate, betas=(0.5, 0.999)
            )
            for player, names in method.players.items()
        }
        history = []
        for _ in range(steps):
            for network in networks.values():
                network.requires_grad_(True)
            history.append(step(method, networks, optimisers, batch, epoch))
        return networks, history

    return train
