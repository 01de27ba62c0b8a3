"""The up-sampling convolution is what its name says, however it is computed."""

import weakref

import pytest
import torch
from torch.nn import functional

from otosynth.networks.upsampling import UpsamplingConvolution


def plain(layer, x):
    fine = functional.interpolate(x, scale_factor=2, mode="nearest")
    return functional.conv3d(fine, layer.weight, layer.bias, padding=1)


def layer_and_patch(batch=1, shape=(3, 4, 5), dtype=torch.float64):
    torch.manual_seed(0)
    layer = UpsamplingConvolution(3, 2).to(dtype)
    return layer, torch.randn(batch, 3, *shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (2, 7, 1)])
def test_it_is_up_sampling_and_a_convolution(batch, shape):
    layer, x = layer_and_patch(batch, shape)
    expected, found = plain(layer, x), layer(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weights).sum(), [x, *layer.parameters()])
    given = torch.autograd.grad((found * weights).sum(), [x, *layer.parameters()])
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_its_kernels_are_summed_in_full_precision_under_autocast():
    layer, x = layer_and_patch(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = layer(x), plain(layer, x)
    assert found.dtype == expected.dtype == torch.bfloat16
    exact = plain(layer.double(), x.double())
    error, usual = ((y.double() - exact).abs().max() for y in (found, expected))
    assert error < 2 * usual


def test_without_gradients_even_planes_are_let_go_of_before_odd_ones(monkeypatch):
    layer, x = layer_and_patch()
    convolved = []
    convolve = functional.conv3d

    def watched(*given):
        # The planes before this call are gone.
        assert all(planes() is None for planes in convolved)
        result = convolve(*given)
        convolved.append(weakref.ref(result))
        return result

    monkeypatch.setattr(functional, "conv3d", watched)
    with torch.no_grad():
        layer(x)
    assert len(convolved) == 2


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (4, 4, 4)])
def test_without_gradients_it_gives_the_same_voxels(shape):
    layer, x = layer_and_patch(2, shape, torch.float32)
    with torch.no_grad():
        found = layer(x)
    assert torch.equal(found, layer(x).detach())
