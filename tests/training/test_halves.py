"""Convolutions in two halves: the same values and gradients, and left alone where they must be."""

import pytest
import torch
from torch.nn import functional

from otosynth.networks.upsampling import UpsamplingConvolution
from otosynth.training import halves
from otosynth.training.halves import HalvedConvolutions


@pytest.fixture
def halved(monkeypatch):
    """Return the shapes that were computed in halves."""
    shapes = []
    convolve = halves.convolve_halves

    def watched(image, *arguments):
        shapes.append(tuple(image.shape))
        return convolve(image, *arguments)

    monkeypatch.setattr(halves, "convolve_halves", watched)
    return shapes


def values_and_gradients(image, weight, bias, **settings):
    """Return the convolution of one patch, and the gradients of its weighted sum."""
    tensors = [t.clone().requires_grad_(True) for t in (image, weight, bias)]
    convolution = functional.conv3d(*tensors, *settings.values())
    (convolution * torch.linspace(0, 1, convolution.numel()).view_as(convolution)).sum().backward()
    return [convolution.detach(), *(tensor.grad for tensor in tensors)]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (3, 1, 0), (7, 1, 3), (2, 2, 0)]
)
def test_halves_give_the_same_values_and_gradients(halved, kernel, stride, padding):
    chance = torch.Generator().manual_seed(1)
    image = torch.rand(1, 4, 12, 10, 9, generator=chance, dtype=torch.float64)
    weight = torch.rand(8, 4, kernel, kernel, kernel, generator=chance, dtype=torch.float64)
    bias = torch.rand(8, generator=chance, dtype=torch.float64)
    settings = {
        "stride": (stride,) * 3, "padding": (padding,) * 3, "dilation": (1, 1, 1), "groups": 1,
    }  # fmt: skip
    plain = values_and_gradients(image, weight, bias, **settings)
    with HalvedConvolutions():
        found = values_and_gradients(image, weight, bias, **settings)
    assert halved == [(1, 4, 12, 10, 9)]
    for expected, value in zip(plain, found, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (torch.nn.Conv3d(2, 2, 3, padding=1), (1, 2, 7, 8, 8)),  # an odd number of slices
        (torch.nn.Conv3d(2, 2, 3, padding=1), (2, 2, 8, 8, 8)),  # two samples already
        (torch.nn.Conv3d(1, 2, 3, padding=1), (1, 1, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 1), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 4, stride=2, padding=1), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 3, padding=1, groups=2), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 3, padding=2, dilation=2), (1, 2, 8, 8, 8)),
        (torch.nn.Conv3d(2, 2, 3, padding="same"), (1, 2, 8, 8, 8)),
    ],
)
def test_what_gains_nothing_is_left_alone(halved, layer, shape):
    image = torch.rand(shape)
    plain = layer(image)
    with HalvedConvolutions():
        found = layer(image)
    assert halved == []
    assert torch.equal(plain, found)


def test_a_layer_is_halved_inside_the_mode_only(halved):
    layer = torch.nn.Conv3d(2, 3, 3, padding=1)
    image = torch.rand(1, 2, 8, 8, 8)
    plain = layer(image)
    assert halved == []
    with HalvedConvolutions():
        torch.testing.assert_close(layer(image), plain)
    assert halved == [(1, 2, 8, 8, 8)]


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(16, 32, 1), (16, 32, 2), (64, 64, 1)])
def test_without_gradients_onednn_gives_what_the_halves_give(halved, inputs, outputs, stride):
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1)
    image = torch.rand(1, inputs, 16, 16, 16)
    with HalvedConvolutions():
        expected = layer(image)
        assert len(halved) == 1
        with torch.inference_mode():
            found = layer(image)
    assert len(halved) == 1
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_an_up_sampling_layer_is_halved(halved):
    """Its call of `conv3d` leaves out the usual arguments; 4 planes in give twice 4 of the fine."""
    torch.manual_seed(0)
    layer = UpsamplingConvolution(3, 2)
    image = torch.rand(1, 3, 4, 5, 6)
    plain = layer(image)
    with HalvedConvolutions():
        found = layer(image)
    assert halved == [(1, 3, 5, 7, 8)] * 2
    torch.testing.assert_close(found, plain)


def test_without_gradients_other_numbers_are_halved(halved):
    layer = torch.nn.Conv3d(2, 3, 3, padding=1, dtype=torch.float64)
    with HalvedConvolutions(), torch.no_grad():
        layer(torch.rand(1, 2, 8, 8, 8, dtype=torch.float64))
    assert len(halved) == 1


def test_a_patch_thinner_than_the_kernel_fails_as_it_does_in_torch():
    layer = torch.nn.Conv3d(2, 2, 3)
    with (
        HalvedConvolutions(),
        pytest.raises(RuntimeError, match=r"[Kk]ernel size can't be greater"),
    ):
        layer(torch.rand(1, 2, 2, 8, 8))
