"""Losses of CG-SAMR (Guo 2021, Eq. 1 to 4). All tensors are (batch, channel, z, y, x), float32."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from otosynth.losses.thesis import adversarial_loss, dice_loss
from otosynth.networks.scaling import average_halved, max_halved

# A confidence of 0 has no logarithm.
SMALLEST_CONFIDENCE = 1e-6


def confidence_loss(
    half: Tensor, confidence: Tensor, microct: Tensor, mask: Tensor, weight: float | Tensor
) -> Tensor:
    """Confidence map loss, Eq. 1: confidence times |error|, less ``weight`` times its logarithm.

    Both terms are means over the voxels, where Eq. 1 sums, so that lambda_3 means the same for
    patches of any size.

    Parameters
    ----------
    half, confidence
        Result of the synthesis module and its confidence in (0, 1), at half size.
    microct, mask
        Of the patch, at full size.
    weight
        lambda_cm of Eq. 1.
    """
    inside = mask_halved(mask)
    target = average_halved(torch.where(mask > 0, microct, 0.0))
    error = confidence * (half - target).abs()
    regulariser = confidence.clamp(min=SMALLEST_CONFIDENCE).log()
    return ((error - weight * regulariser) * inside).sum() / inside.sum().clamp(min=1)


def mean_confidence(confidence: Tensor, mask: Tensor) -> Tensor:
    """Mean of a confidence map at half size, inside a mask at full size; without gradient."""
    inside = mask_halved(mask)
    return (confidence.detach() * inside).sum() / inside.sum().clamp(min=1)


def mask_halved(mask: Tensor) -> Tensor:
    """Return the mask at half size: 1 where all of 2^3 voxels are inside."""
    return 1 - max_halved(1 - mask)


def feature_matching_loss(
    real: Sequence[Sequence[Tensor]], fake: Sequence[Sequence[Tensor]]
) -> Tensor:
    """Feature matching, Eq. 3: mean squared difference, summed over layers and discriminators.

    Parameters
    ----------
    real, fake
        The layers of every discriminator for the real and for the synthetic image.
    """
    differences = [
        F.mse_loss(f, r)
        for reals, fakes in zip(real, fake, strict=True)
        for r, f in zip(reals, fakes, strict=True)
    ]
    return torch.stack(differences).sum()


def generalised_dice_loss(classes: Tensor, probabilities: Tensor) -> Tensor:
    """Generalised Dice loss, Eq. 4, averaged over the classes.

    As the paper prints it, without the weights of Sudre 2017, it is the thesis's Dice loss: only
    the inside of the mask counts, and a class that is in neither map costs nothing.

    Parameters
    ----------
    classes
        R: one-hot inside the mask (batch, 3, z, y, x), 0 outside.
    probabilities
        S: softmax of the predicted classes (batch, 3, z, y, x).
    """
    return dice_loss(probabilities, classes)


def verdicts_loss(layers: Sequence[Sequence[Tensor]], real: bool, kind: str) -> Tensor:
    """Adversarial loss of several discriminators that should say real or fake: the sum of Eq. 2.

    Parameters
    ----------
    layers
        The layers of every discriminator; the last is its verdict.
    kind
        ``log`` or ``least_squares``.
    """
    return torch.stack([adversarial_loss(each[-1], real, kind) for each in layers]).sum()
