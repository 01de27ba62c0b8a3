"""Networks have the shapes and sizes that method.md section 6 states."""

import pytest
import torch

from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator, initialise
from otosynth.networks.norms import norm_layer


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
@pytest.mark.parametrize("outputs", [1, 4])
def test_generator_keeps_the_shape(upsampling, outputs):
    generator = Generator(outputs, 4, 2, 0.5, upsampling)
    assert generator(torch.zeros(2, 1, 16, 24, 20)).shape == (2, outputs, 16, 24, 20)


def test_generator_has_the_thesis_s_blocks():
    generator = Generator(1, 64, 6, 0.5, "nearest")
    convolutions = [m for m in generator.modules() if isinstance(m, torch.nn.Conv3d)]
    assert [c.out_channels for c in convolutions[:3]] == [64, 128, 256]
    assert [c.kernel_size[0] for c in convolutions] == [7, 3, 3, *[3] * 12, 3, 3, 7]
    assert sum(isinstance(m, torch.nn.Dropout) for m in generator.modules()) == 6


def test_discriminator_has_three_strided_blocks_and_one_verdict_channel():
    discriminator = Discriminator(2, 64, 3)
    features = discriminator.features(torch.zeros(1, 2, 32, 32, 32))
    assert [f.shape[1:3] for f in features] == [(64, 16), (128, 8), (256, 4)]
    assert discriminator(torch.zeros(1, 2, 32, 32, 32)).shape[1] == 1


def test_dropout_is_noise_in_training_and_off_in_testing():
    generator = Generator(1, 4, 2, 0.5, "nearest")
    initialise(generator, 3)
    ct = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(generator(ct), generator(ct))
    generator.eval()
    assert torch.equal(generator(ct), generator(ct))


def test_weights_are_a_function_of_the_seed():
    networks = [Generator(1, 4, 1, 0.0, "nearest") for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialise(network, seed)
    first, same, other = (next(n.parameters()) for n in networks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.std().item() == pytest.approx(0.02, rel=0.1)


def test_layer_norm_keeps_the_level_that_instance_norm_takes_away():
    """Fluid beside bone looks like air beside bone to instance norm, not to layer norm."""
    random = torch.Generator().manual_seed(0)
    air_and_bone = torch.where(torch.rand(1, 1, 12, 12, 12, generator=random) < 0.5, -0.9, 0.6)
    fluid_and_bone = torch.where(air_and_bone < 0, -0.2, 0.6)
    convolution = torch.nn.Conv3d(1, 6, 3)
    initialise(convolution, 1)
    with torch.inference_mode():
        features = [convolution(patch) for patch in (air_and_bone, fluid_and_bone)]
    difference = {}
    for kind in ("instance", "layer"):
        first, second = (norm_layer(kind, 6)(feature) for feature in features)
        difference[kind] = (first - second).abs().mean().item()
    assert difference["instance"] < 0.01
    assert difference["layer"] > 0.1
