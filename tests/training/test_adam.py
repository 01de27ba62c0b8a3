"""The optimiser without torch's wrapping steps to the same bits."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from otosynth.training.adam import Adam

RATE, BETAS = 1e-2, (0.5, 0.999)


def network(layout: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv3d(2, 5, 3), nn.InstanceNorm3d(5, affine=True), nn.Conv3d(5, 1, 1)
    )
    return layers.to(memory_format=layout)  # type: ignore[call-overload]


def train(layers: nn.Module, optimiser, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        optimiser.zero_grad()
        # Every third step leaves the last layer without a gradient.
        used = layers[:2] if step % 3 == 0 else layers
        used(torch.randn(1, 2, 6, 6, 6)).square().mean().backward()
        optimiser.step()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_it_steps_to_the_same_bits_as_torch_s_own(layout):
    ours, theirs = network(layout), network(layout)
    train(ours, Adam(ours.parameters(), RATE, BETAS), range(7))
    fused = torch.optim.Adam(theirs.parameters(), RATE, BETAS, fused=True)
    train(theirs, fused, range(7))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_with_a_decay_it_steps_to_the_same_bits_as_torch_s_adamw():
    ours, theirs = (network(torch.contiguous_format) for _ in range(2))
    train(ours, Adam(ours.parameters(), RATE, BETAS, weight_decay=0.05), range(7))
    fused = torch.optim.AdamW(theirs.parameters(), RATE, BETAS, weight_decay=0.05, fused=True)
    train(theirs, fused, range(7))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_rate_on_the_device_may_change_between_steps():
    plain, placed = (network(torch.contiguous_format) for _ in range(2))
    optimisers = [
        Adam(layers.parameters(), RATE, BETAS, weight_decay=0.05, rate_on_device=on_device)
        for layers, on_device in ((plain, False), (placed, True))
    ]
    rate = optimisers[1].rate
    for step in range(5):
        for layers, optimiser in zip((plain, placed), optimisers, strict=True):
            # A rate that single precision holds exactly.
            optimiser.set_rate(2.0 ** -(step + 5))
            train(layers, optimiser, range(step, step + 1))
    assert optimisers[1].rate is rate, "a captured step reads it from there"
    for a, b in zip(plain.parameters(), placed.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_it_goes_on_from_kept_moments_to_the_same_bits(layout):
    whole, parted = network(layout), network(layout)
    train(whole, Adam(whole.parameters(), RATE, BETAS), range(7))
    first = Adam(parted.parameters(), RATE, BETAS)
    train(parted, first, range(4))
    second = Adam(parted.parameters(), RATE, BETAS)
    second.load({name: tensor.contiguous() for name, tensor in first.tensors().items()})
    train(parted, second, range(4, 7))
    for a, b in zip(whole.parameters(), parted.parameters(), strict=True):
        assert torch.equal(a, b)


def test_its_moments_are_named_as_torch_names_them():
    ours, theirs = network(torch.contiguous_format), network(torch.contiguous_format)
    adam = Adam(ours.parameters(), RATE, BETAS)
    train(ours, adam, range(2))
    fused = torch.optim.Adam(theirs.parameters(), RATE, BETAS, fused=True)
    train(theirs, fused, range(2))
    expected = {
        f"{index}.{key}": tensor
        for index, moments in fused.state_dict()["state"].items()
        for key, tensor in moments.items()
    }
    tensors = adam.tensors()
    assert list(tensors) == list(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


def test_a_training_does_not_import_the_compiler_before_its_first_step():
    code = (
        "import sys, torch\n"
        "import otosynth.training.task\n"
        "from otosynth.training.adam import Adam\n"
        "weight = torch.nn.Parameter(torch.ones(3))\n"
        "adam = Adam([weight], 0.1, (0.9, 0.999))\n"
        "adam.zero_grad()\n"
        "weight.sum().backward()\n"
        "adam.step()\n"
        "slow = {'torch._dynamo', 'tensorboard', 'matplotlib', 'monai', 'SimpleITK', 'skimage'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
