"""Fast convolutions: the same values and gradients, and left alone where nothing is gained."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from otosynth.networks.upsampling import UpsamplingConvolution
from otosynth.training import convolutions
from otosynth.training.budget import count_operations
from otosynth.training.convolutions import FastConvolutions, FourierConvolution, OneDnnConvolution


@pytest.fixture
def taken(monkeypatch):
    """Return the names of the fast ways that were taken."""
    names = []

    def watch(way):
        def apply(*given):
            names.append(way.__name__)
            return way.apply(*given)

        monkeypatch.setattr(convolutions, way.__name__, SimpleNamespace(apply=apply))

    watch(OneDnnConvolution)
    watch(FourierConvolution)
    return names


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("changed", [torch.Tensor.clone, lambda t: t.transpose(-1, -2)])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 1, 0), (2, 1, 0), (2, 2, 0)]
)
def test_onednn_gives_the_same_values_and_gradients(
    values_and_gradients, taken, kernel, stride, padding, changed, biased
):
    chance = torch.Generator().manual_seed(1)
    image = changed(torch.rand(1, 4, 12, 11, 9, generator=chance))
    weight = changed(torch.rand(8, 4, kernel, kernel, kernel, generator=chance))
    bias = torch.rand(8, generator=chance) if biased else None
    settings = (stride,) * 3, (padding,) * 3
    exact = values_and_gradients(
        lambda *tensors: functional.conv3d(*tensors, *settings),
        *(t if t is None else t.double() for t in (image, weight, bias)),
    )
    with FastConvolutions():
        found = values_and_gradients(
            lambda *tensors: functional.conv3d(*tensors, *settings), image, weight, bias
        )
    assert taken == ["OneDnnConvolution"]
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)


def test_onednn_leaves_out_gradients_that_are_not_wanted(taken):
    layer = torch.nn.Conv3d(2, 3, 3, padding=1)
    layer.bias.requires_grad_(False)
    image = torch.rand(1, 2, 8, 8, 8)
    with FastConvolutions():
        layer(image).sum().backward()
    assert taken == ["OneDnnConvolution"]
    assert layer.weight.grad is not None
    assert layer.bias.grad is None
    assert image.grad is None


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (torch.nn.Conv3d(2, 2, 3, padding=1), (2, 2, 8, 8, 8)),  # two samples
        (torch.nn.Conv3d(2, 2, 3, padding=1), (1, 2, 4, 4, 4)),  # a few voxels
        (torch.nn.Conv3d(80, 2, 3, padding=1), (1, 80, 17, 17, 3)),  # torch takes oneDNN itself
        (torch.nn.Conv3d(2, 2, 1), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 4, stride=2, padding=1), (1, 2, 16, 16, 16)),
        (torch.nn.Conv3d(2, 2, 3, padding=1, groups=2), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 3, padding=2, dilation=2), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 3, padding="same"), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 7, padding="same"), (1, 2, 16, 16, 16)),
        (torch.nn.Conv3d(2, 2, 3, padding=1, dtype=torch.float64), (1, 2, 8, 8, 8)),
    ],
)
def test_what_gains_nothing_is_left_alone(taken, layer, shape):
    image = torch.rand(shape, dtype=layer.weight.dtype)
    plain = layer(image)
    with FastConvolutions():
        found = layer(image)
    assert taken == []
    assert torch.equal(plain, found)


@pytest.mark.parametrize(
    ("layer", "ways"),
    [
        (torch.nn.Conv3d(2, 3, 3, padding=1), ["OneDnnConvolution"]),
        (torch.nn.Conv3d(2, 3, 7, padding=3), ["FourierConvolution"]),
        # Its calls of `conv3d` leave out the usual arguments.
        (UpsamplingConvolution(2, 3), ["OneDnnConvolution"] * 2),
    ],
)
@pytest.mark.parametrize("gradients", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_layer_is_fast_inside_the_mode_only(taken, layer, ways, gradients):
    image = torch.rand(1, 2, 16, 16, 16)
    with gradients():
        plain = layer(image)
        assert taken == []
        with FastConvolutions():
            torch.testing.assert_close(layer(image), plain, rtol=1e-5, atol=1e-5)
    assert taken == ways


def test_operations_are_counted_as_those_of_plain_convolutions(taken):
    layers = torch.nn.Sequential(
        torch.nn.Conv3d(2, 3, 3, padding=1), torch.nn.Conv3d(3, 2, 7, padding=3)
    )
    image = torch.rand(1, 2, 16, 16, 16)

    def step():
        with FastConvolutions():
            layers(image).sum().backward()

    # Forward, and backward for weights; for the second layer's input, too.
    first, second = (2 * 16**3 * 2 * 3 * edge**3 for edge in (3, 7))
    assert count_operations(step) == 2 * first + 3 * second
    assert taken == []
    step()
    assert taken == ["OneDnnConvolution", "FourierConvolution"]


def test_a_patch_thinner_than_the_kernel_fails_as_it_does_in_torch():
    layer = torch.nn.Conv3d(2, 2, 3)
    with FastConvolutions(), pytest.raises(RuntimeError, match=r"[Kk]ernel size can't be greater"):
        layer(torch.rand(1, 2, 2, 8, 8))


@pytest.mark.parametrize("kernel", [3, 7])
def test_channels_that_do_not_fit_fail_as_they_do_in_torch(kernel):
    image, weight = torch.rand(1, 8, 16, 16, 16), torch.rand(2, 4, kernel, kernel, kernel)
    with FastConvolutions(), pytest.raises(RuntimeError, match="channels"):
        functional.conv3d(image, weight, None, (1,) * 3, (kernel // 2,) * 3)


def test_numbers_in_place_of_threes_and_bfloat16_are_torchs():
    image, weight = torch.rand(1, 2, 16, 16, 16), torch.rand(2, 2, 7, 7, 7)
    with FastConvolutions():
        assert functional.conv3d(image, weight, None, 1, 3, 1).shape == (1, 2, 16, 16, 16)
        short = functional.conv3d(image.bfloat16(), weight.bfloat16(), None, (1,) * 3, (3,) * 3)
        with torch.autocast("cpu", torch.bfloat16):
            under_autocast = functional.conv3d(image, weight, None, (1,) * 3, (3,) * 3)
    assert short.dtype == under_autocast.dtype == torch.bfloat16
