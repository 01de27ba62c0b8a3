"""Network that reads a CT on its own coarse grid and answers on the micro-CT's fine one."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otosynth.networks.generator import ResidualBlock
from otosynth.networks.norms import Norm
from otosynth.networks.unet import convolution_block

# Fewest voxels along an edge of the coarse patch.
SMALLEST_COARSE = 4


class SuperResolution(nn.Module):
    """Residual blocks on the coarse grid, then steps up of at most a factor of two.

    A step is nearest neighbour and a 3^3 convolution: the backward pass of trilinear
    up-sampling is not deterministic on CUDA.

    Parameters
    ----------
    outputs
        Channels of the result.
    width
        Channels on the coarse grid; each step up halves them.
    residual_blocks, dropout, norm
        The trunk on the coarse grid, as in :class:`otosynth.networks.generator.Generator`.
    coarse_factor
        Coarse voxel over fine voxel.
    """

    def __init__(
        self,
        outputs: int,
        width: int,
        residual_blocks: int,
        dropout: float,
        norm: Norm,
        coarse_factor: float,
    ) -> None:
        super().__init__()
        self.coarse_factor = coarse_factor
        steps = math.ceil(math.log2(coarse_factor))
        widths = [max(width // 2**k, 1) for k in range(steps + 1)]
        self.trunk = nn.Sequential(
            *convolution_block(1, width, norm),
            *(ResidualBlock(width, dropout, norm) for _ in range(residual_blocks)),
        )
        self.up = nn.ModuleList(
            nn.Sequential(*convolution_block(widths[k], widths[k + 1], norm)) for k in range(steps)
        )
        self.last = nn.Conv3d(widths[-1], outputs, 3, padding=1)

    def forward(self, ct: Tensor) -> Tensor:
        """Map CT patches on the fine grid (batch, 1, z, y, x) to logits of the same edges."""
        sizes = grid_sizes(ct.shape[2:], self.coarse_factor, len(self.up))
        x = self.trunk(read_coarse(ct, sizes[0]))
        for block, size in zip(self.up, sizes[1:], strict=True):
            x = block(F.interpolate(x, size=size, mode="nearest-exact"))
        logits: Tensor = self.last(x)
        return logits


def read_coarse(ct: Tensor, size: Sequence[int]) -> Tensor:
    """Return a CT patch at the middles of coarse voxels, (batch, 1, *size), without gradient.

    Linear interpolation, not a mean over the coarse voxel: the fine CT is itself interpolated
    from the coarse one, and a mean would blur it once more.
    """
    with torch.no_grad():
        return F.interpolate(ct, size=tuple(size), mode="trilinear", align_corners=False)


def grid_sizes(fine: Sequence[int], coarse_factor: float, steps: int) -> list[tuple[int, ...]]:
    """Return the edges (z, y, x) of the coarse grid and after each step up, the fine ones last.

    Examples
    --------
    >>> grid_sizes((64, 64, 64), 2.5, 2)
    [(26, 26, 26), (41, 41, 41), (64, 64, 64)]
    """
    coarse = [min(max(round(edge / coarse_factor), SMALLEST_COARSE), edge) for edge in fine]
    return [
        tuple(round(c * (f / c) ** (k / steps)) for c, f in zip(coarse, fine, strict=True))
        for k in range(steps + 1)
    ]
