"""Dropout is torch's, with other chance."""

import pytest
import torch

from otosynth.networks.dropout import Dropout


@pytest.mark.parametrize("p", [0.5, 0.2])
def test_dropout_leaves_out_a_share_and_enlarges_the_rest(p):
    torch.manual_seed(0)
    layer = Dropout(p)
    x = torch.ones(1, 10, 20, 20, 20, requires_grad=True)
    found = layer(x)
    found.sum().backward()
    left_out = (found == 0).float().mean().item()
    # Five standard deviations of 80000 draws.
    assert abs(left_out - p) < 5 * (p * (1 - p) / x.numel()) ** 0.5
    torch.testing.assert_close(found[found > 0].unique(), torch.tensor([1 / (1 - p)]))
    assert torch.equal(x.grad, found.detach())
    torch.manual_seed(0)
    assert torch.equal(layer(x), found)
    assert torch.equal(layer.eval()(x), x)


def test_dropout_of_nothing_costs_nothing():
    x = torch.ones(1, 2, 3, 3, 3)
    assert Dropout(0.0)(x) is x
