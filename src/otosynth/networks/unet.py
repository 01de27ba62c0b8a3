"""3D U-Net with one or more decoders on one encoder (Ronneberger 2015, in 3D)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from otosynth.networks.norms import norm_layer
from otosynth.networks.scaling import max_halved
from otosynth.networks.upsampling import UpsamplingConvolution

UnetNorm = Literal["instance", "layer", "none"]


class UNet(nn.Module):
    """Encoder of ``levels`` resolutions; decoders with long skips.

    Every resolution has two 3^3 convolutions, and going up is nearest neighbour and a
    convolution, as in Zhang 2018 (section 4.1).

    Parameters
    ----------
    inputs
        Channels of the patch.
    outputs
        Channels of each decoder's result, e.g. ``(3,)`` for one decoder of three classes.
    width
        Channels of the first resolution; each further one doubles them.
    levels
        Number of resolutions: the patch is halved ``levels - 1`` times.
    norm
        After every convolution but the last: ``instance``, ``layer`` (see ``norm_layer``) or
        ``none``.
    halving
        Between resolutions: ``max`` pooling, or the next convolution has stride 2 (``strided``).
    """

    def __init__(
        self,
        inputs: int,
        outputs: Sequence[int],
        width: int,
        levels: int,
        norm: UnetNorm,
        halving: Literal["max", "strided"] = "max",
    ) -> None:
        super().__init__()
        self.pools = halving == "max"
        widths = [width * 2**k for k in range(levels)]
        befores = [inputs, *widths[:-1]]
        strides = [1] + [1 if self.pools else 2] * (levels - 1)
        self.encoder = nn.ModuleList(
            _two_convolutions(before, after, norm, stride)
            for before, after, stride in zip(befores, widths, strides, strict=True)
        )
        self.decoders = nn.ModuleList(_Decoder(widths, channels, norm) for channels in outputs)

    def forward(self, patch: Tensor) -> list[Tensor]:
        """Map (batch, inputs, z, y, x) to one result a decoder, of the patch's size.

        Edges must be multiples of ``2 ** (levels - 1)``.
        """
        features = []
        for level, block in enumerate(self.encoder):
            patch = block(max_halved(patch) if level and self.pools else patch)
            features.append(patch)
        return [decoder(features) for decoder in self.decoders]


class _Decoder(nn.Module):
    """From the coarsest features up, joined at each resolution with the encoder's."""

    def __init__(self, widths: Sequence[int], outputs: int, norm: UnetNorm) -> None:
        super().__init__()
        steps = range(len(widths) - 1, 0, -1)
        self.up = nn.ModuleList(_up(widths[k], widths[k - 1], norm) for k in steps)
        self.join = nn.ModuleList(
            _two_convolutions(2 * widths[k - 1], widths[k - 1], norm) for k in steps
        )
        self.last = nn.Conv3d(widths[0], outputs, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        x = features[-1]
        for up, join, skip in zip(self.up, self.join, reversed(features[:-1]), strict=True):
            x = join(torch.cat([up(x), skip], dim=1))
        result: Tensor = self.last(x)
        return result


def convolution_block(
    inputs: int, outputs: int, norm: UnetNorm, stride: int = 1
) -> list[nn.Module]:
    """Return a 3^3 convolution, its norm and ReLU."""
    return _with_norm(nn.Conv3d(inputs, outputs, 3, stride, padding=1), outputs, norm)


def _with_norm(convolution: nn.Module, outputs: int, norm: UnetNorm) -> list[nn.Module]:
    norms = [] if norm == "none" else [norm_layer(norm, outputs)]
    return [convolution, *norms, nn.ReLU(inplace=True)]


def _two_convolutions(inputs: int, outputs: int, norm: UnetNorm, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        *convolution_block(inputs, outputs, norm, stride),
        *convolution_block(outputs, outputs, norm),
    )


def _up(inputs: int, outputs: int, norm: UnetNorm) -> nn.Sequential:
    return nn.Sequential(*_with_norm(UpsamplingConvolution(inputs, outputs), outputs, norm))
