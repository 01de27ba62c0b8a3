"""Generator G of the thesis's 3D conditional GAN (thesis III.2; method 6)."""

from typing import Literal

import torch
from torch import Tensor, nn

from otosynth.networks.dropout import Dropout
from otosynth.networks.norms import Norm, norm_layers
from otosynth.networks.upsampling import UpsamplingConvolution

GeneratorNorm = Norm | Literal["none"]


def _block(convolution: nn.Module, channels: int, norm: GeneratorNorm) -> list[nn.Module]:
    return [convolution, *norm_layers(norm, channels), nn.ReLU(inplace=True)]


class ResidualBlock(nn.Module):
    """Two 3^3 convolutions with dropout between them, added to their input."""

    def __init__(self, channels: int, dropout: float, norm: GeneratorNorm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(nn.Conv3d(channels, channels, 3, padding=1), channels, norm),
            Dropout(dropout),
            nn.Conv3d(channels, channels, 3, padding=1),
            *norm_layers(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of ``x`` (batch, channels, z, y, x)."""
        return x + self.layers(x)


class Generator(nn.Module):
    """Three convolution blocks, residual blocks with dropout, three blocks back up.

    Zeros pad the convolutions: the backward pass of reflection padding is not deterministic
    on CUDA.

    Parameters
    ----------
    outputs
        Channels of the result: 1 for the micro-CT alone, 4 with the three classes.
    width
        Channels after the first convolution (64 in method.md).
    residual_blocks, dropout
        The trunk; dropout is the noise z of Eq. 1.
    upsampling
        ``nearest`` (nearest neighbour, then convolution) or ``transposed``.
    norm
        ``instance``, ``layer`` or ``none``.
    outer_kernel
        Edge of the first and of the last convolution's kernel: 7 in pix2pix.
    """

    def __init__(
        self,
        outputs: int,
        width: int,
        residual_blocks: int,
        dropout: float,
        upsampling: Literal["nearest", "transposed"],
        norm: GeneratorNorm = "instance",
        outer_kernel: int = 7,
    ) -> None:
        super().__init__()
        border = outer_kernel // 2
        self.layers = nn.Sequential(
            *_block(nn.Conv3d(1, width, outer_kernel, padding=border), width, norm),
            *_block(nn.Conv3d(width, 2 * width, 3, stride=2, padding=1), 2 * width, norm),
            *_block(nn.Conv3d(2 * width, 4 * width, 3, stride=2, padding=1), 4 * width, norm),
            *(ResidualBlock(4 * width, dropout, norm) for _ in range(residual_blocks)),
            *_block(_upsample(4 * width, 2 * width, upsampling), 2 * width, norm),
            *_block(_upsample(2 * width, width, upsampling), width, norm),
            nn.Conv3d(width, outputs, outer_kernel, padding=border),
        )

    def forward(self, ct: Tensor) -> Tensor:
        """Map CT patches (batch, 1, z, y, x) in [-1, 1] to logits (batch, outputs, z, y, x).

        Edges must be multiples of 4 (two halvings).
        """
        logits: Tensor = self.layers(ct)
        return logits


def _upsample(channels: int, outputs: int, kind: str) -> nn.Module:
    if kind == "transposed":
        return nn.ConvTranspose3d(channels, outputs, 3, stride=2, padding=1, output_padding=1)
    return UpsamplingConvolution(channels, outputs)


def initialise(network: nn.Module, seed: int) -> None:
    """Draw all convolution weights from N(0, 0.02) and set biases to 0 (pix2pix)."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialise_without_norms(network: nn.Module, seed: int) -> None:
    """Draw He's weights (He 2015, arXiv:1502.01852): without norms N(0, 0.02) would fade away."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
