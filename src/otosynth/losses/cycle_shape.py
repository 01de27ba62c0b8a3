"""Losses of Zhang 2018 (Eq. 1 and 2); domain A is the CT, domain B the micro-CT."""

import torch
from torch import Tensor

from otosynth.losses.thesis import adversarial_loss, masked_l1


def cycle_consistency(
    real: tuple[Tensor, Tensor], reconstructed: tuple[Tensor, Tensor], masks: tuple[Tensor, Tensor]
) -> Tensor:
    """Eq. 1: mean |G_A(G_B(x_A)) - x_A| plus the same of domain B, each inside its mask.

    Parameters
    ----------
    real, reconstructed, masks
        Of domain A and of domain B, (batch, 1, z, y, x) each.
    """
    in_a, in_b = (
        masked_l1(image, again, mask)
        for image, again, mask in zip(real, reconstructed, masks, strict=True)
    )
    return in_a + in_b


def cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """One term of Eq. 2: mean over labelled voxels of -log of the true class's probability.

    Parameters
    ----------
    logits
        Of a segmentor (batch, 3, z, y, x).
    classes
        One-hot float classes inside the mask; all zero outside, so that nothing there counts.
    """
    # torch's own cross-entropy of volumes is not deterministic on CUDA.
    missed = -(classes * torch.log_softmax(logits, dim=1)).sum(dim=(1, 2, 3, 4))
    return (missed / classes.sum(dim=(1, 2, 3, 4)).clamp(min=1)).mean()


def shape_consistency(logits: tuple[Tensor, Tensor], classes: tuple[Tensor, Tensor]) -> Tensor:
    """Eq. 2: cross-entropy of both domains' volumes, each against the labels it should show.

    Parameters
    ----------
    logits
        S_A of an image in domain A, S_B of one in domain B.
    classes
        For the synthetic images of Eq. 2: y_B of S_A(G_A(x_B)), y_A of S_B(G_B(x_A)).
    """
    in_a, in_b = (cross_entropy(*pair) for pair in zip(logits, classes, strict=True))
    return in_a + in_b


def discriminator_loss(real: Tensor, fake: Tensor, kind: str) -> Tensor:
    """Mean of D's losses on a real and on a synthetic image, as in CycleGAN.

    Parameters
    ----------
    real, fake
        Verdicts (logits) of the images.
    kind
        As ``thesis.adversarial_loss`` has it.
    """
    return (adversarial_loss(real, True, kind) + adversarial_loss(fake, False, kind)) / 2
