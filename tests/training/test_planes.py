"""Convolutions plane by plane: the same values and gradients, and only where they gain."""

import pytest
import torch
from torch.nn import functional

from otosynth.training import halves
from otosynth.training.halves import HalvedConvolutions
from otosynth.training.planes import convolve_planes


def values_and_gradients(convolve, *tensors):
    """Return a convolution, and the gradients of its weighted sum."""
    tensors = [t if t is None else t.clone().requires_grad_(True) for t in tensors]
    convolution = convolve(*tensors)
    (convolution * torch.linspace(0, 1, convolution.numel()).view_as(convolution)).sum().backward()
    return [convolution.detach(), *(t.grad for t in tensors if t is not None)]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize(("kernel", "padding"), [(7, 3), (5, 0), (5, 4), (6, 1)])
@pytest.mark.parametrize("biased", [True, False])
def test_planes_give_the_same_values_and_gradients(batch, outputs, kernel, padding, biased):
    chance = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 2, 12, 10, 9, generator=chance, dtype=torch.float64)
    weight = torch.rand(outputs, 2, *(kernel,) * 3, generator=chance, dtype=torch.float64)
    bias = torch.rand(outputs, generator=chance, dtype=torch.float64) if biased else None
    around = (padding,) * 3
    plain = values_and_gradients(
        lambda *t: functional.conv3d(*t, padding=around), image, weight, bias
    )
    found = values_and_gradients(lambda *t: convolve_planes(*t, around), image, weight, bias)
    for expected, value in zip(plain, found, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "gains"),
    [
        (torch.nn.Conv3d(2, 4, 7, padding=3), True),
        (torch.nn.Conv3d(2, 8, 7, padding=3), False),
        (torch.nn.Conv3d(2, 4, 3, padding=1), False),
        (torch.nn.Conv3d(2, 4, 7, padding=3, stride=2), False),
        (torch.nn.Conv3d(2, 4, 7, padding="same"), False),
        (torch.nn.Conv3d(2, 4, 7, padding=3, groups=2), False),
    ],
)
def test_large_kernels_to_a_few_channels_gain(monkeypatch, layer, gains):
    called = []
    monkeypatch.setattr(
        halves, "convolve_planes", lambda *given: called.append(1) or convolve_planes(*given)
    )
    image = torch.rand(1, 2, 8, 8, 8)
    with torch.inference_mode(), HalvedConvolutions():
        found = layer(image)
    assert bool(called) == gains
    with torch.inference_mode():
        torch.testing.assert_close(found, layer(image))
