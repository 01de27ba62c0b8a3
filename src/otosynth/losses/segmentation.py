"""Losses of the methods that segment the CT: Dice and cross-entropy inside the mask.

Tensors are (batch, channel, z, y, x), float32; ``classes`` is one-hot inside the mask and 0
outside, so that nothing there counts.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from otosynth.losses.thesis import dice_loss

# nnU-Net gives both the same weight (Isensee 2021).
WEIGHTS: Mapping[str, float] = {"dice": 1.0, "cross_entropy": 1.0}


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the mean over the voxels inside the mask of -log p(true class), natural logarithm.

    Written as a product: torch's own one for volumes is not deterministic on CUDA.
    """
    log_p = torch.log_softmax(logits, dim=1)
    return -(log_p * classes).sum() / classes.sum().clamp(min=1)


def dice_and_cross_entropy(logits: Tensor, classes: Tensor) -> dict[str, Tensor]:
    """Return ``dice`` (thesis Eq. 4) and ``cross_entropy`` of logits (batch, 3, z, y, x)."""
    return {
        "dice": dice_loss(torch.softmax(logits, dim=1), classes),
        "cross_entropy": cross_entropy(logits, classes),
    }


def pooled_dice_loss(probabilities: Tensor, classes: Tensor, smoothing: float) -> Tensor:
    """Return 1 - (2 sum p g + s) / (sum p + sum g + s), averaged over the classes.

    The sums are over the voxels inside the mask of the whole batch: so a class that is in few
    patches has a defined Dice in every step.

    Parameters
    ----------
    probabilities
        p, softmax of the predicted classes (batch, 3, z, y, x).
    classes
        g, one-hot inside the mask, 0 outside.
    smoothing
        s as a share of the voxels inside the mask of the batch: a class of fewer voxels hardly
        moves its Dice.
    """
    predicted = probabilities * classes.sum(dim=1, keepdim=True)
    s = smoothing * classes.sum().clamp(min=1)
    overlap, total = (
        voxels.sum(dim=(0, 2, 3, 4)) for voxels in (predicted * classes, predicted + classes)
    )
    return 1 - ((2 * overlap + s) / (total + s)).mean()


def deeply_supervised(heads: Sequence[Tensor], classes: Tensor) -> dict[str, Tensor]:
    """Return the same two losses, averaged over the heads of deep supervision.

    Parameters
    ----------
    heads
        Logits (batch, 3, z, y, x) of the size of ``classes``, from the finest resolution down.
        Their weights are 1, 1/2, 1/4, ..., divided by the sum (nnU-Net, Isensee 2021).
    """
    weights = head_weights(len(heads))
    parts = [dice_and_cross_entropy(head, classes) for head in heads]
    return {
        name: torch.stack([w * p[name] for w, p in zip(weights, parts, strict=True)]).sum()
        for name in WEIGHTS
    }


def head_weights(heads: int) -> list[float]:
    """Return the weight of each head: halved from one to the next, 1 in all."""
    halved = [0.5**k for k in range(heads)]
    return [weight / sum(halved) for weight in halved]


def validation_score(losses: Mapping[str, float]) -> float:
    """Return what selects the epoch: Dice loss plus cross-entropy, weighted as in training."""
    return sum(weight * losses[name] for name, weight in WEIGHTS.items())
