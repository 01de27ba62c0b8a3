"""Losses of the thesis (Eq. 1 to 4). All tensors are (batch, channel, z, y, x), float32."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# A class with fewer voxels than this share of the patch is weighted as if it had that many, so
# that a stray voxel cannot rule the weighted L1 loss (docs/method.md, section 7).
SMALLEST_CLASS_SHARE = 0.001
# Eq. 4 keeps its quotient defined where a class is absent.
DICE_EPSILON = 1e-5


def adversarial_loss(verdict: Tensor, real: bool, kind: str) -> Tensor:
    """Loss of a verdict (logits) that should say real or fake.

    ``log`` is Eq. 1 with the generator's usual form, -log D(fake) in place of
    log(1 - D(fake)), which has the same fixed point and does not vanish early on;
    ``least_squares`` compares the logits with 1 or 0.
    """
    target = torch.full_like(verdict, float(real))
    if kind == "least_squares":
        return F.mse_loss(verdict, target)
    return F.binary_cross_entropy_with_logits(verdict, target)


def weighted_l1_loss(microct: Tensor, synthetic: Tensor, classes: Tensor) -> Tensor:
    """Class-weighted L1, Eq. 2: the sum over classes of |error| summed over its voxels / N_c.

    Parameters
    ----------
    microct, synthetic
        (batch, 1, z, y, x) in [-1, 1].
    classes
        One-hot float classes inside the mask (batch, 3, z, y, x); all zero outside, so that
        nothing there counts.
    """
    count = classes.sum(dim=(2, 3, 4))
    floor = SMALLEST_CLASS_SHARE * microct[0, 0].numel()
    error = ((microct - synthetic).abs() * classes).sum(dim=(2, 3, 4))
    return (error / count.clamp(min=floor)).sum(dim=1).mean()


def perception_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Perception loss, Eq. 3: mean |difference| of D's features, summed over hidden layers."""
    terms = [F.l1_loss(f.float(), r.float()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).sum()


def dice_loss(probabilities: Tensor, classes: Tensor) -> Tensor:
    """Dice loss, Eq. 4, averaged over the classes.

    Parameters
    ----------
    probabilities
        Softmax of the predicted classes (batch, 3, z, y, x).
    classes
        One-hot float classes inside the mask; voxels where all are 0 are left out.
    """
    inside = classes.sum(dim=1, keepdim=True)
    predicted = probabilities * inside
    overlap = (predicted * classes).sum(dim=(2, 3, 4))
    total = predicted.sum(dim=(2, 3, 4)) + classes.sum(dim=(2, 3, 4))
    return 1 - ((2 * overlap + DICE_EPSILON) / (total + DICE_EPSILON)).mean()


def masked_l1(microct: Tensor, synthetic: Tensor, mask: Tensor) -> Tensor:
    """Mean |difference| of two images (batch, 1, z, y, x) inside a mask of that shape."""
    return ((microct - synthetic).abs() * mask).sum() / mask.sum().clamp(min=1)
