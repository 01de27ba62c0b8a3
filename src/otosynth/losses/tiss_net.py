"""Losses of Wu 2023 (Eq. 1 to 9), from one tumour to three classes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from otosynth.losses.thesis import DICE_EPSILON, adversarial_loss, dice_loss
from otosynth.tissues import SOFT


@torch.no_grad()
def tissue_mask(classes: Tensor, mask: Tensor, margin: int) -> Tensor:
    """Return M of Eq. 4: soft tissue and all within ``margin`` voxels of it, inside the mask.

    The paper's M is the box round a tumour; the box round soft tissue would be the whole patch.

    Parameters
    ----------
    classes
        One-hot float classes (batch, 3, z, y, x).
    mask
        (batch, 1, z, y, x), 1 inside.
    margin
        Along each axis.

    Returns
    -------
    Tensor
        (batch, 1, z, y, x), 1 inside M.
    """
    near = classes[:, SOFT : SOFT + 1]
    for axis in range(3):
        size, padding = [1, 1, 1], [0, 0, 0]
        size[axis], padding[axis] = 2 * margin + 1, margin
        near = F.max_pool3d(near, size, stride=1, padding=padding)
    return near * mask


def tissue_l1(microct: Tensor, synthetic: Tensor, tissue: Tensor, mask: Tensor) -> Tensor:
    """L1 of Eq. 4: |difference| inside M, over the number of voxels inside the mask.

    The same number divides Eq. 1's L1, so that each voxel of M weighs alpha_g + alpha_t, however
    much of a patch M is.
    """
    return ((microct - synthetic).abs() * tissue).sum() / mask.sum().clamp(min=1)


def generator_adversarial(fake: Tensor) -> Tensor:
    """Eq. 2: (D(x_s, x_t') - 1)^2, the mean over D's verdicts."""
    return adversarial_loss(fake, True, "least_squares")


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Eq. 3: D(x_s, x_t')^2 + (D(x_s, x_t) - 1)^2, the means over D's verdicts."""
    return adversarial_loss(fake, False, "least_squares") + adversarial_loss(
        real, True, "least_squares"
    )


def refined_classes(coarse: Tensor, error: Tensor) -> Tensor:
    """Eq. 7 for each class, then normalised over the classes.

    y_r = y_c (1 - y_e) + (1 - y_c) y_e: a class is where it was said to be and that is no error,
    or where it was not said to be and that is one. With two classes and one error for both, this
    is the paper's rule.

    Parameters
    ----------
    coarse
        Probabilities y_c (batch, 3, z, y, x).
    error
        Probability y_e of an error for each class, of the same shape.
    """
    refined = coarse * (1 - error) + (1 - coarse) * error
    return refined / refined.sum(dim=1, keepdim=True).clamp(min=DICE_EPSILON)


def consistency_loss(fine: Tensor, refined: Tensor, classes: Tensor) -> Tensor:
    """Eq. 8: mean squared difference of y_f and y_r, over labelled voxels and classes."""
    inside = classes.sum(dim=1, keepdim=True)
    squares = ((fine - refined) ** 2 * inside).sum()
    return squares / (inside.sum() * classes.shape[1]).clamp(min=1)


def coarse_errors(coarse: Tensor, classes: Tensor) -> Tensor:
    """Return ``y != y_c`` of Eq. 9 for each class (batch, 3, z, y, x), 0 where nothing is labelled.

    y_c is hardened to its likeliest class; a voxel that is wrong is an error of the class it was
    given and of the class it has.
    """
    numbers = torch.arange(classes.shape[1], device=classes.device).view(1, -1, 1, 1, 1)
    hard = (coarse.argmax(dim=1, keepdim=True) == numbers).float()
    return (hard - classes).abs() * classes.sum(dim=1, keepdim=True)


def error_loss(error: Tensor, coarse: Tensor, classes: Tensor) -> Tensor:
    """L_err of Eq. 9: Dice loss of y_e against the errors of y_c, averaged over the classes.

    Only labelled voxels count. Errors of different classes overlap, so that the thesis's Dice
    loss, which takes unlabelled voxels to be those without any class, does not serve.
    """
    target = coarse_errors(coarse, classes)
    predicted = error * classes.sum(dim=1, keepdim=True)
    overlap = (predicted * target).sum(dim=(2, 3, 4))
    total = predicted.sum(dim=(2, 3, 4)) + target.sum(dim=(2, 3, 4))
    return 1 - ((2 * overlap + DICE_EPSILON) / (total + DICE_EPSILON)).mean()


def segmentor_losses(
    fine: Tensor, error: Tensor, coarse: Tensor, classes: Tensor
) -> dict[str, Tensor]:
    """Return the three terms of Eq. 9.

    Parameters
    ----------
    fine, coarse
        Probabilities y_f and y_c (batch, 3, z, y, x).
    error
        Probability y_e of an error for each class, of the same shape.
    classes
        One-hot float classes y inside the mask.
    """
    return {
        "fine": dice_loss(fine, classes),
        "error": error_loss(error, coarse, classes),
        "consistency": consistency_loss(fine, refined_classes(coarse, error), classes),
    }
