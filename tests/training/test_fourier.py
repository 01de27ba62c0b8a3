"""Convolutions by Fourier transforms: the same values and gradients, and only where they gain."""

import pytest
import torch
from scipy.fft import next_fast_len
from torch.nn import functional

from otosynth.training import fourier
from otosynth.training.fourier import FourierConvolution, Plan, fast_length, gains_by_fourier


def random_tensors(batch, channels, outputs, shape, kernel, biased=True, dtype=torch.float64):
    chance = torch.Generator().manual_seed(1)
    image = torch.rand(batch, channels, *shape, generator=chance, dtype=dtype)
    weight = torch.rand(outputs, channels, *kernel, generator=chance, dtype=dtype) - 0.5
    return image, weight, torch.rand(outputs, generator=chance, dtype=dtype) if biased else None


def plain(image, weight, bias):
    padding = tuple(edge // 2 for edge in weight.shape[2:])
    return functional.conv3d(image, weight, bias, padding=padding)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("shape", [(12, 10, 9), (3, 4, 5)])
@pytest.mark.parametrize("kernel", [(7, 7, 7), (5, 7, 5)])
@pytest.mark.parametrize("biased", [True, False])
def test_transforms_give_the_same_values_and_gradients(
    values_and_gradients, batch, outputs, shape, kernel, biased
):
    tensors = random_tensors(batch, 6, outputs, shape, kernel, biased)
    expected = values_and_gradients(plain, *tensors)
    found = values_and_gradients(FourierConvolution.apply, *tensors)
    for value, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("longest", [4, 5, 9])
def test_blocks_give_what_the_whole_gives(values_and_gradients, monkeypatch, longest):
    monkeypatch.setattr(fourier, "LONGEST_BLOCK", longest)
    tensors = random_tensors(1, 3, 2, (13, 10, 9), (7, 5, 7))
    assert len(Plan.of((13, 10, 9), (7, 5, 7)).places()) > 1
    expected = values_and_gradients(plain, *tensors)
    found = values_and_gradients(FourierConvolution.apply, *tensors)
    for value, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-11, atol=1e-11)


def test_float32_is_as_exact_as_torchs_own(values_and_gradients):
    tensors = random_tensors(1, 16, 4, (32, 32, 32), (7, 7, 7), dtype=torch.float32)
    exact = values_and_gradients(plain, *(tensor.double() for tensor in tensors))
    found, usual = (
        [
            (value.double() - wanted).abs().max().item()
            for value, wanted in zip(values_and_gradients(way, *tensors), exact, strict=True)
        ]
        for way in (FourierConvolution.apply, plain)
    )
    assert all(error < 4 * of_torch for error, of_torch in zip(found, usual, strict=True))


def test_gradients_that_are_not_wanted_are_left_out():
    image, weight, bias = random_tensors(1, 2, 1, (8, 8, 8), (7, 7, 7))
    weight.requires_grad_(True)
    FourierConvolution.apply(image, weight, bias).sum().backward()
    assert weight.grad is not None
    assert image.grad is None
    assert bias.grad is None


@pytest.mark.parametrize(
    ("layer", "gains"),
    [
        (torch.nn.Conv3d(2, 4, 7, padding=3), True),
        (torch.nn.Conv3d(2, 4, 7, padding=3, dtype=torch.bfloat16), False),
        (torch.nn.Conv3d(2, 4, (5, 7, 7), padding=(2, 3, 3)), True),
        (torch.nn.Conv3d(2, 8, 7, padding=3), False),  # too many channels come out
        (torch.nn.Conv3d(2, 4, 3, padding=1), False),  # too small a kernel
        (torch.nn.Conv3d(2, 4, 7, padding=3, stride=2), False),
        (torch.nn.Conv3d(2, 4, 7, padding=2), False),
        (torch.nn.Conv3d(2, 4, 6, padding=3), False),
    ],
)
def test_large_kernels_to_a_few_channels_gain(layer, gains):
    image = torch.rand(1, 2, 16, 16, 16, dtype=layer.weight.dtype)
    assert gains_by_fourier(image, layer.weight, layer.stride, layer.padding) == gains


def test_small_images_gain_nothing():
    layer = torch.nn.Conv3d(2, 4, 7, padding=3)
    image = torch.rand(1, 2, 8, 8, 8)
    assert not gains_by_fourier(image, layer.weight, layer.stride, layer.padding)


def test_lengths_of_transforms_are_scipys():
    lengths = range(1, 200)
    assert [*map(fast_length, lengths)] == [next_fast_len(n, real=True) for n in lengths]
