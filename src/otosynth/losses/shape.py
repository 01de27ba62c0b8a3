"""Losses of the shape of the classes, which the thesis left for later: Hausdorff and centreline.

Tensors are (batch, 3, z, y, x), float32: probabilities are softmaxed; classes are one-hot inside
the mask and 0 outside, so that nothing there counts. All three classes count.
"""

import torch
from torch import Tensor

# Erosions before the skeleton is taken: as many as half the widest tube has voxels (a
# semicircular canal, 1 mm, has 4 at 0.12 mm). What is thicker has no centreline to lose.
EROSIONS = 5


def hausdorff_loss(probabilities: Tensor, classes: Tensor) -> Tensor:
    """Mean over voxels and classes of error^2 times squared distances to both surfaces.

    Karimi 2019 (distance transforms, alpha = 2), as MONAI has it. The distances are in voxels, so
    the loss is in voxel^2, grows with the size of a misplaced part and is not bounded by 1.
    Surfaces are those of probabilities above 0.5 and of the classes. Where a class is absent from
    both it is 0. SciPy computes the distances on the CPU, also for tensors on a GPU, which waits.
    """
    # Imported here: MONAI takes seconds to import, and only this loss needs it.
    from monai.losses import HausdorffDTLoss

    loss: Tensor = HausdorffDTLoss(include_background=True)(
        _inside(probabilities, classes), classes
    )
    return loss


def centreline_loss(probabilities: Tensor, classes: Tensor) -> Tensor:
    """One minus the centreline Dice (clDice, Shit 2021), averaged over the classes.

    As MONAI's SoftclDiceLoss, a class at a time, except for how its maxima are written: the
    backward pass of torch's max pooling of volumes is not deterministic on CUDA.
    """
    predicted = _inside(probabilities, classes)
    thin_predicted, thin_true = _skeleton(predicted), _skeleton(classes)
    # Both 1 for a class that is absent from both.
    precision = _share(thin_predicted, classes)
    sensitivity = _share(thin_true, predicted)
    return 1 - (2 * precision * sensitivity / (precision + sensitivity)).mean()


def _inside(probabilities: Tensor, classes: Tensor) -> Tensor:
    return probabilities * classes.sum(dim=1, keepdim=True)


def _share(skeleton: Tensor, body: Tensor) -> Tensor:
    """Return the share of each skeleton inside its body, (batch, class)."""
    inside = (skeleton * body).sum(dim=(2, 3, 4))
    return (inside + 1) / (skeleton.sum(dim=(2, 3, 4)) + 1)


def _skeleton(body: Tensor) -> Tensor:
    """Soft skeleton: what an opening takes away, after none to all erosions (Shit 2021)."""
    skeleton = torch.zeros_like(body)
    for _ in range(EROSIONS + 1):
        eroded = _eroded(body)
        tips = torch.relu(body - _dilated(eroded))
        skeleton = skeleton + torch.relu(tips - skeleton * tips)
        body = eroded
    return skeleton


def _eroded(x: Tensor) -> Tensor:
    """Return the smallest of each voxel and its six neighbours."""
    z, y, last = (-_largest_of_three(-x, axis) for axis in (2, 3, 4))
    return torch.minimum(torch.minimum(z, y), last)


def _dilated(x: Tensor) -> Tensor:
    """Return the largest of 3^3 voxels."""
    for axis in (2, 3, 4):
        x = _largest_of_three(x, axis)
    return x


def _largest_of_three(x: Tensor, axis: int) -> Tensor:
    """Return the largest of each voxel and its two neighbours along an axis."""
    edge = x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, edge - 1, 1)
    padded = torch.cat([first, x, last], dim=axis)
    before, after = padded.narrow(axis, 0, edge), padded.narrow(axis, 2, edge)
    return torch.maximum(torch.maximum(before, x), after)
