"""Residual U-Net without norms that works on half the patch's resolution.

Eight voxels become channels of one first, and the result's channels eight voxels last (Shi 2016,
arXiv:1609.05158): most of a network's work on a patch is in its finest resolution. Blocks are
pre-activated (He 2016, arXiv:1603.05027), and start close to the identity, so that no norm is
needed (Zhang 2019, arXiv:1901.09321).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

# Voxels that become channels, and an edge of them.
VOXELS, EDGE = 8, 2
# Of the initial weights of a block's second convolution.
START_OF_BLOCKS = 0.1


class ResidualUnet(nn.Module):
    """A residual block a level on either side; skips are added.

    Parameters
    ----------
    inputs, outputs
        Channels of the patch and of the result, which has the patch's size.
    widths
        Channels of each resolution, the finest first.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.first = nn.Conv3d(VOXELS * inputs, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv3d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairwise(widths))
        self.up_blocks = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.last = nn.Conv3d(widths[0], VOXELS * outputs, 3, padding=1)

    def forward(self, patch: Tensor) -> Tensor:
        """Map (batch, inputs, z, y, x) to (batch, outputs, z, y, x).

        Edges must be multiples of 2 to the number of ``widths``.
        """
        x: Tensor = self.first(voxels_to_channels(patch))
        skips = []
        for level, block in enumerate(self.down_blocks):
            x = block(self.down[level - 1](x) if level else x)
            skips.append(x)
        skips.pop()
        for level in reversed(range(len(self.up))):
            x = self.up_blocks[level](doubled(self.up[level](x)) + skips.pop())
        return channels_to_voxels(self.last(x))

    def initialise(self, seed: int) -> None:
        """Draw He's initial weights (He 2015, arXiv:1502.01852) from a seed; biases are 0."""
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, ResidualBlock):
                    module.second.weight *= START_OF_BLOCKS


class ResidualBlock(nn.Module):
    """Adds to its input: ReLU, 3^3 convolution, ReLU, 3^3 convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(width, width, 3, padding=1)
        self.second = nn.Conv3d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, width, z, y, x)."""
        change: Tensor = self.second(torch.relu_(self.first(torch.relu(x))))
        return change.add_(x)


def voxels_to_channels(x: Tensor) -> Tensor:
    """Map (batch, channel, z, y, x) to (batch, 8 channel, z / 2, y / 2, x / 2)."""
    batch, channels, *edges = x.shape
    z, y, x_ = (edge // EDGE for edge in edges)
    parted = x.reshape(batch, channels, z, EDGE, y, EDGE, x_, EDGE)
    return parted.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, VOXELS * channels, z, y, x_)


def channels_to_voxels(x: Tensor) -> Tensor:
    """Map (batch, 8 channel, z, y, x) to (batch, channel, 2 z, 2 y, 2 x)."""
    batch, channels, z, y, x_ = x.shape
    parted = x.reshape(batch, channels // VOXELS, EDGE, EDGE, EDGE, z, y, x_)
    whole = parted.permute(0, 1, 5, 2, 6, 3, 7, 4)
    return whole.reshape(batch, channels // VOXELS, EDGE * z, EDGE * y, EDGE * x_)


def doubled(x: Tensor) -> Tensor:
    """Repeat every voxel twice along each axis.

    torch's own nearest neighbour has a backward pass that is not deterministic on CUDA.
    """
    batch, channels, z, y, x_ = x.shape
    repeated = x[:, :, :, None, :, None, :, None].expand(-1, -1, -1, EDGE, -1, EDGE, -1, EDGE)
    return repeated.reshape(batch, channels, EDGE * z, EDGE * y, EDGE * x_)
