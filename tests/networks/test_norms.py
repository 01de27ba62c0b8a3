"""Norms give what torch's own give."""

import pytest
import torch
from torch import nn

from otosynth.networks.norms import InstanceNorm


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
