"""Convolutions to a few channels, plane by plane, which the CPU computes several times faster.

oneDNN computes eight channels of a result together, so that a convolution to one channel costs
as much as one to eight. Here the planes of the kernel are channels instead: a 7^3 convolution to
one channel is a 7^2 convolution to seven, whose planes are then shifted and added.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

# Channels that oneDNN computes together with AVX2; with fewer it does work for nothing.
BLOCK = 8
# Smaller kernels are left alone: torch would take its own, slow convolution for their planes.
SMALLEST_KERNEL = 5


def convolve_planes(
    image: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int, int]
) -> Tensor:
    """Convolve with every plane of the kernel as a channel; the same result, up to rounding.

    Parameters
    ----------
    image
        Patches (batch, channel, z, y, x).
    weight
        Kernels (output channel, channel, z, y, x); their stride is 1.
    bias
        One value an output channel, or None.
    padding
        Zeros in z, y and x.

    Returns
    -------
    Tensor
        The convolution (batch, output channel, z, y, x).
    """
    outputs, _, depth, _, _ = weight.shape
    kernels = weight.transpose(0, 2).transpose(1, 2).flatten(0, 1).unsqueeze(2)
    planes = functional.conv3d(image, kernels, None, 1, (0, *padding[1:]))
    shifted = [
        # Negative padding cuts off.
        functional.pad(part, (0, 0, 0, 0, padding[0] - k, padding[0] - (depth - 1 - k)))
        for k, part in enumerate(planes.split(outputs, dim=1))
    ]
    total = shifted[0]
    for part in shifted[1:]:
        total = total + part
    return total if bias is None else total + bias.view(-1, 1, 1, 1)


def gains_by_planes(
    image: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> bool:
    """Return whether `convolve_planes` computes such a convolution, and faster."""
    plain = groups == 1 and set(dilation) == {1} and not isinstance(padding, str)
    large = min(weight.shape[2:]) >= SMALLEST_KERNEL
    return plain and image.ndim == 5 and large and set(stride) == {1} and len(weight) < BLOCK
