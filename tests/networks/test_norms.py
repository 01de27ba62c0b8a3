"""Norms give what torch's own give."""

import pytest
import torch
from torch import nn

from otosynth.networks.norms import InstanceNorm, LayerNorm, norm_layer, of_all_channels


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_an_instance_norm_is_torchs(batch, training):
    torch.manual_seed(0)
    x = torch.randn(batch, 3, 4, 5, 6, requires_grad=True)
    weights = torch.randn(x.shape)
    found, expected = (
        (norm := kind(3).train(training)(x), torch.autograd.grad((norm * weights).sum(), x))
        for kind in (InstanceNorm, nn.InstanceNorm3d)
    )
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1][0], expected[1][0])


def test_an_instance_norm_gives_no_view_for_a_relu_to_overwrite():
    assert not InstanceNorm(3)(torch.randn(1, 3, 4, 5, 6, requires_grad=True))._is_view()


@pytest.mark.parametrize("batch", [1, 2])
def test_an_instance_norm_is_torchs_in_bfloat16_with_channels_last(batch):
    torch.manual_seed(0)
    x = torch.randn(batch, 3, 4, 5, 6).bfloat16().to(memory_format=torch.channels_last_3d)
    found, expected = InstanceNorm(3)(x), nn.InstanceNorm3d(3)(x)
    torch.testing.assert_close(found, expected, rtol=2**-7, atol=2**-7)


def test_a_layer_norm_is_torchs():
    x = torch.randn(2, 3, 4, 5, 6)
    assert torch.equal(LayerNorm(3)(x), nn.GroupNorm(1, 3, affine=False)(x))


def test_channels_own_means_and_deviations_give_those_of_all_together():
    torch.manual_seed(0)
    x = torch.randn(6, 1000, dtype=torch.float64) * torch.arange(1, 7)[:, None] + torch.randn(6, 1)
    eps = 1e-5
    mean, inverse = x.mean(1), (x.var(1, correction=0) + eps).rsqrt()
    whole_mean, whole_inverse = of_all_channels(mean, inverse, eps)
    torch.testing.assert_close(whole_mean, x.mean().expand(6))
    expected = (x.var(correction=0) + eps).rsqrt()
    torch.testing.assert_close(whole_inverse, expected.expand(6))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["instance", "layer"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_on_a_gpu_norms_are_as_exact_as_their_precision(kind, precision):
    torch.manual_seed(0)
    # Channels of different means and spreads.
    x = torch.randn(1, 24, 10, 9, 8) * (torch.rand(1, 24, 1, 1, 1) * 3 + 0.1)
    x = (x + torch.randn(1, 24, 1, 1, 1)).cuda().to(precision)
    weights = torch.randn(x.shape, device="cuda", dtype=torch.float64)

    def value_and_gradient(norm, image):
        image = image.detach().requires_grad_()
        value = norm(image)
        return value.double(), torch.autograd.grad((value.double() * weights).sum(), image)[0]

    exact = nn.GroupNorm(1 if kind == "layer" else 24, 24, affine=False)
    expected = value_and_gradient(exact, x.double())
    # Half a unit in the last place, twice for the gradient, which is rounded on its way, too.
    allowed = 2e-6 if precision == torch.float32 else 4e-3
    for layout in (torch.contiguous_format, torch.channels_last_3d):
        found = value_and_gradient(norm_layer(kind, 24), x.to(memory_format=layout))
        for value, wanted in zip(found, expected, strict=True):
            assert ((value.double() - wanted).norm() / wanted.norm()).item() < allowed
