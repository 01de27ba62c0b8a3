"""Activations computed again change no bit of a training, and are not kept."""

import hashlib

import pandas as pd
import pytest
import torch
from monai.networks.nets import DynUNet
from torch import nn

from otosynth.networks import samr
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator, ResidualBlock, initialise
from otosynth.networks.norms import LayerNorm
from otosynth.networks.super_resolution import SuperResolution
from otosynth.networks.unet import UNet
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.recomputation import blocks_of, recompute_activations

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")

NETWORKS = {
    "generator": lambda: Generator(4, 4, 2, 0.5, "nearest", "layer"),
    "transposed": lambda: Generator(1, 4, 1, 0.5, "transposed", "instance"),
    "discriminator": lambda: Discriminator(1, 4, 2),
    "cg-samr": lambda: samr.Generator(1, 4, 2, 1, "layer"),
    "super-resolution": lambda: SuperResolution(3, 8, 2, 0.5, "layer", 2.5),
    "u-net": lambda: UNet(1, (3, 1), 4, 3, "instance"),
}


def tensors_of(result):
    return [result] if isinstance(result, torch.Tensor) else list(result)


def passes(build, precision, recompute):
    """Return results, gradients, and the bytes that are kept for the backward pass."""
    arithmetic = resolve_arithmetic("cpu", precision, 1)
    network = build()
    initialise(network, 1)
    network = arithmetic.place_network(network).train()
    if recompute:
        recompute_activations(network, arithmetic)
    kept = {}

    def keep(tensor):
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    patch = torch.rand(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, arithmetic.for_networks():
        results = tensors_of(network(patch))
    sum(result.float().square().mean() for result in results).backward()
    return results, [p.grad for p in network.parameters()], sum(kept.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_results_and_gradients_are_the_same_bits(name, precision):
    results, gradients, _ = passes(NETWORKS[name], precision, recompute=False)
    again, gradients_again, _ = passes(NETWORKS[name], precision, recompute=True)
    assert all(torch.equal(a, b) for a, b in zip(results, again, strict=True))
    assert len(gradients) == len(gradients_again) > 0
    assert all(torch.equal(a, b) for a, b in zip(gradients, gradients_again, strict=True))


def test_a_generator_keeps_what_its_blocks_begin_with_and_nothing_else():
    kept, fewer = (passes(NETWORKS["generator"], "float32", recompute)[2] for recompute in (0, 1))
    # The patch, the first layer and the last up-sampling at 16^3; a block down and one up at 8^3;
    # one down and two residual ones at 4^3.
    voxels = (1 + 4 + 4) * 16**3 + (8 + 8) * 8**3 + (16 + 16 + 16) * 4**3
    assert fewer == 4 * voxels
    assert kept > 2.5 * fewer


def test_a_block_begins_with_what_has_weights():
    generator = Generator(1, 4, 2, 0.5, "nearest", "layer")
    first, *others = blocks_of(generator.layers)
    assert [type(layer) for layer in first] == [nn.Conv3d, LayerNorm, nn.ReLU]
    assert [len(block) for block in others] == [3, 3, 1, 1, 3, 3, 1]
    assert isinstance(others[2][0], ResidualBlock)


def test_the_convolutions_of_monai_are_left_as_they_are():
    network = DynUNet(3, 1, 3, (3, 3, 3), (1, 2, 2), (2, 2))
    recompute_activations(network, resolve_arithmetic("cpu", "float32", 1))
    assert not any("forward" in vars(module) for module in network.modules())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_gives_the_same_bytes(make_trainer, tmp_path, precision):
    histories = [
        make_trainer(folder=folder, precision=precision, petaflop=1e-5, recompute=recompute).train()
        for folder, recompute in (("kept", False), ("again", True))
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    kept, again = (
        {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}
        for folder in (tmp_path / "kept/checkpoints", tmp_path / "again/checkpoints")
    )
    assert kept == again
    assert kept
