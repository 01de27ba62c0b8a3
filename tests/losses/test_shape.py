"""Losses of shape, against hand-made bodies and MONAI."""

import pytest
import torch
from monai.losses import SoftclDiceLoss

from otosynth.losses.shape import EROSIONS, centreline_loss, hausdorff_loss
from otosynth.losses.thesis import dice_loss

LOSSES = [hausdorff_loss, centreline_loss]
EDGE = 20


def classes_of(body: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """One-hot classes: a body of bone in air, no soft tissue."""
    bone = body.float()
    classes = torch.stack([1 - bone, torch.zeros_like(bone), bone])[None]
    return classes if mask is None else classes * mask


def ball(shift: int = 0, radius: float = 6) -> torch.Tensor:
    z, y, x = torch.meshgrid(*3 * [torch.arange(EDGE) - EDGE / 2], indexing="ij")
    return (z - shift) ** 2 + y**2 + x**2 < radius**2


def tube() -> torch.Tensor:
    """A tube of 2 x 2 voxels from side to side."""
    body = torch.zeros(EDGE, EDGE, EDGE, dtype=torch.bool)
    body[:, 4:6, 4:6] = True
    return body


@pytest.fixture(autouse=True)
def deterministic():
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode("default")


@pytest.mark.parametrize("loss", LOSSES)
def test_a_perfect_prediction_loses_nothing(loss):
    classes = classes_of(ball())
    assert loss(classes, classes).item() == pytest.approx(0, abs=1e-6)


def test_a_ball_loses_more_the_further_it_is_shifted():
    truth = classes_of(ball())
    values = [hausdorff_loss(classes_of(ball(shift)), truth).item() for shift in (0, 2, 4)]
    assert values[0] < values[1] < values[2]


def test_a_tube_loses_its_centreline_only_when_it_leaves_itself():
    truth = classes_of(tube())
    values = [centreline_loss(classes_of(tube().roll(shift, 1)), truth).item() for shift in (0, 4)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[1] > 0.2
    # What a Dice loss sees and this one does not: the middle of the ball is still inside.
    moved, still = classes_of(ball(2)), classes_of(ball())
    assert dice_loss(moved, still) > 0.05
    assert centreline_loss(moved, still).item() == pytest.approx(0, abs=1e-6)


def test_the_hausdorff_loss_of_a_misplaced_voxel_is_its_squared_distance():
    truth, found = torch.zeros(2, EDGE, EDGE, EDGE, dtype=torch.bool)
    truth[2, 2, 2], found[2, 2, 2] = True, True
    found[9, 2, 2] = True
    # It is 1 voxel from air as predicted, and 7 from the true bone; air is wrong there as well.
    of_a_class = (1**2 + 7**2) / EDGE**3
    expected = 2 * of_a_class / 3
    assert hausdorff_loss(classes_of(found), classes_of(truth)).item() == pytest.approx(expected)


def test_a_broken_tube_has_lost_more_of_its_centreline_than_a_nibbled_ball():
    truth = tube() | ball(radius=5)
    broken, nibbled = truth.clone(), truth.clone()
    broken[12:16, 4:6, 4:6] = False
    surface = ball(radius=5) & ~ball(radius=4.5)
    taken = surface.nonzero()[:16]
    nibbled[tuple(taken.T)] = False
    assert (truth & ~broken).sum() == (truth & ~nibbled).sum() == 16

    losses = [
        [loss(classes_of(found), classes_of(truth)).item() for found in (broken, nibbled)]
        for loss in (dice_loss, centreline_loss)
    ]
    assert losses[0][0] == pytest.approx(losses[0][1])
    assert losses[1][0] > 1.5 * losses[1][1]


def test_the_centreline_loss_is_monai_s_of_each_class():
    random = torch.Generator().manual_seed(0)
    probabilities = torch.rand(2, 3, 12, 12, 12, generator=random).softmax(dim=1)
    classes = torch.cat([classes_of(ball()), classes_of(tube())])[..., :12, :12, :12]
    by_class = (values.flatten(0, 1)[:, None] for values in (probabilities, classes))
    expected = SoftclDiceLoss(iter_=EROSIONS)(*by_class).item()
    assert centreline_loss(probabilities, classes).item() == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_outside_the_mask_counts(loss):
    mask = torch.ones(EDGE, EDGE, EDGE)
    mask[:5] = 0
    classes = classes_of(ball(), mask)
    first = classes_of(ball(2)).clone()
    second = first.clone()
    second[:, :, :5] = 1 / 3
    assert loss(first, classes).item() == loss(second, classes).item()
    assert loss(classes_of(ball()), classes).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("body", [ball(), tube(), torch.zeros(EDGE, EDGE, EDGE)])
def test_gradients_are_finite_and_the_same_again_with_an_absent_class(loss, body):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, EDGE, EDGE, EDGE, generator=random).requires_grad_()
    gradients = []
    for _ in range(2):
        value = loss(logits.softmax(dim=1), classes_of(body))
        assert value.isfinite()
        assert value > 0
        (gradient,) = torch.autograd.grad(value, logits)
        gradients.append(gradient)
    assert gradients[0].isfinite().all()
    assert gradients[0].abs().max() > 0
    assert torch.equal(*gradients)


@pytest.mark.parametrize("loss", LOSSES)
def test_descending_the_loss_moves_a_ball_back(loss):
    truth = classes_of(ball())
    logits = 4 * classes_of(ball(3))
    before = dice_loss(logits.softmax(dim=1), truth).item()
    for _ in range(5):
        logits.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(logits.softmax(dim=1), truth), logits)
        logits = (logits - 2 * gradient / gradient.abs().max()).detach()
    assert dice_loss(logits.softmax(dim=1), truth).item() < before
