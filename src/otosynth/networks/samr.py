"""Encoder, decoders and discriminators of CG-SAMR (Guo 2021, sections III.A to III.C)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import ResidualBlock
from otosynth.networks.norms import Norm, norm_layer
from otosynth.networks.scaling import average_halved
from otosynth.networks.upsampling import UpsamplingConvolution

SCALES = ("full", "half")


class Encoder(nn.Module):
    """A 7^3 convolution, layers with stride 2 that double the channels, residual blocks (III.A).

    Parameters
    ----------
    inputs
        Channels of the patch.
    width
        Channels after the first convolution.
    halvings
        Layers with stride 2.
    residual_blocks
        Blocks at the coarsest resolution.
    norm
        ``instance`` or ``layer``.
    """

    def __init__(
        self, inputs: int, width: int, halvings: int, residual_blocks: int, norm: Norm
    ) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(halvings + 1)]
        self.layers = nn.Sequential(
            *_block(inputs, width, norm, kernel=7),
            *(
                layer
                for k in range(halvings)
                for layer in _block(widths[k], widths[k + 1], norm, stride=2)
            ),
            *_residual_blocks(widths[-1], residual_blocks, norm),
        )

    def forward(self, patch: Tensor) -> Tensor:
        """Map (batch, inputs, z, y, x) to the latent features, each edge 2^halvings smaller."""
        latent: Tensor = self.layers(patch)
        return latent


class PlainDecoder(nn.Module):
    """Residual blocks, up-sampling blocks and a 7^3 convolution: F1 of III.E.

    Parameters are those of :class:`Encoder`; ``outputs`` are the channels of the image.
    """

    def __init__(
        self, outputs: int, width: int, halvings: int, residual_blocks: int, norm: Norm
    ) -> None:
        super().__init__()
        self.to_half = _up_to_half(width, halvings, residual_blocks, norm)
        self.to_full = _up_to_full(2 * width, width, outputs, norm)

    def forward(self, latent: Tensor) -> Tensor:
        """Map latent features to an image (batch, outputs, z, y, x) in [-1, 1], float32."""
        image = self.to_full(self.to_half(latent))
        return torch.tanh(image.float())


class GuidedDecoder(nn.Module):
    """A decoder that its own half-sized result guides, where it is sure of it (III.B, Fig. 3).

    Parameters are those of :class:`Encoder`.
    """

    def __init__(self, width: int, halvings: int, residual_blocks: int, norm: Norm) -> None:
        super().__init__()
        features = 2 * width
        self.to_half = _up_to_half(width, halvings, residual_blocks, norm)
        self.synthesis = _half_module(features, features, norm)
        self.confidence = _half_module(features + 1, features, norm)
        self.to_full = _up_to_full(features + 1, width, 1, norm)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map latent features to an image, the same at half size, and the confidence in that.

        Returns
        -------
        tuple of Tensor
            The image (batch, 1, z, y, x) in [-1, 1]; the half image (batch, 1, z/2, y/2, x/2) in
            [-1, 1]; its confidence, of the same shape, in (0, 1). All float32.
        """
        features = self.to_half(latent)
        half = torch.tanh(self.synthesis(features).float())
        confidence = torch.sigmoid(self.confidence(torch.cat([features, half], dim=1)).float())
        image = self.to_full(torch.cat([features, half * confidence], dim=1))
        return torch.tanh(image.float()), half, confidence


class Generator(nn.Module):
    """Encoder and guided decoder: G of CG-SAMR. Parameters are those of :class:`Encoder`."""

    def __init__(
        self, inputs: int, width: int, halvings: int, residual_blocks: int, norm: Norm
    ) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, width, halvings, residual_blocks, norm)
        self.decoder = GuidedDecoder(width, halvings, residual_blocks, norm)

    def forward(self, patch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (batch, inputs, z, y, x) to image, half image and confidence."""
        result: tuple[Tensor, Tensor, Tensor] = self.decoder(self.encoder(patch))
        return result


class LabelDiscriminators(nn.Module):
    """One discriminator a region and scale (III.C, Fig. 4): six for three regions.

    Parameters
    ----------
    regions
        Names of the regions, in the order of the channels of their masks.
    inputs
        Channels of the pair: those of G's input and the image.
    width, blocks
        Of each discriminator.
    """

    def __init__(self, regions: Sequence[str], inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.regions = tuple(regions)
        self.by_name = nn.ModuleDict(
            {
                f"{region}_{scale}": Discriminator(inputs, width, blocks)
                for region in regions
                for scale in SCALES
            }
        )

    def forward(self, pair: Tensor, masks: Tensor) -> list[list[Tensor]]:
        """Return the layers of every discriminator, float32; the last layer is the verdict.

        Parameters
        ----------
        pair
            Input of G and image (batch, inputs, z, y, x).
        masks
            m_k of Eq. 2, one channel a region (batch, regions, z, y, x); what is 0 in it is
            0 for its discriminators.
        """
        layers = []
        for k, region in enumerate(self.regions):
            # `where`, not a product: what is outside may be no number.
            masked = torch.where(masks[:, k : k + 1] > 0, pair, 0.0)
            for scale, image in zip(SCALES, (masked, average_halved(masked)), strict=True):
                layers.append(_layers_of(self.by_name[f"{region}_{scale}"], image))
        return layers


def _layers_of(discriminator: nn.Module, pair: Tensor) -> list[Tensor]:
    """Return all layers of a discriminator, of which the last is its verdict."""
    assert isinstance(discriminator, Discriminator)
    hidden = discriminator.features(pair)
    return [layer.float() for layer in (*hidden, discriminator.last(hidden[-1]))]


def _block(
    inputs: int, outputs: int, norm: Norm, kernel: int = 3, stride: int = 1
) -> list[nn.Module]:
    """Return a convolution, its norm and ReLU."""
    convolution = nn.Conv3d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return [convolution, norm_layer(norm, outputs), nn.ReLU(inplace=True)]


def _residual_blocks(channels: int, number: int, norm: Norm) -> list[nn.Module]:
    # The paper names no dropout.
    return [ResidualBlock(channels, 0.0, norm) for _ in range(number)]


def _up(inputs: int, outputs: int, norm: Norm) -> list[nn.Module]:
    """Return layers that double every edge.

    The paper's transposed convolutions leave a checkerboard; nearest neighbour does not.
    """
    up = UpsamplingConvolution(inputs, outputs)
    return [up, norm_layer(norm, outputs), nn.ReLU(inplace=True)]


def _up_to_half(width: int, halvings: int, residual_blocks: int, norm: Norm) -> nn.Sequential:
    """Return layers from the latent features to ``2 * width`` channels at half size."""
    widths = [width * 2**k for k in range(halvings, 0, -1)]
    return nn.Sequential(
        *_residual_blocks(widths[0], residual_blocks, norm),
        *(layer for k in range(halvings - 1) for layer in _up(widths[k], widths[k + 1], norm)),
    )


def _up_to_full(inputs: int, width: int, outputs: int, norm: Norm) -> nn.Sequential:
    """Return layers from half size to an image's logits at full size."""
    return nn.Sequential(
        *_up(inputs, width, norm), nn.Conv3d(width, outputs, kernel_size=7, padding=3)
    )


def _half_module(inputs: int, features: int, norm: Norm) -> nn.Sequential:
    """Return SM or CM: four convolutions, to one channel at half size (Fig. 3).

    The first is 1^3 and the channels fall to a half and a quarter, as in the public code.
    """
    half, quarter = max(features // 2, 1), max(features // 4, 1)
    return nn.Sequential(
        *_block(inputs, half, norm, kernel=1),
        *_block(half, quarter, norm),
        *_block(quarter, quarter, norm),
        nn.Conv3d(quarter, 1, kernel_size=3, padding=1),
    )
