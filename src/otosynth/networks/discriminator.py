"""Patch discriminator D (thesis III.2; method 6)."""

from torch import Tensor, nn

from otosynth.networks.norms import InstanceNorm


class Discriminator(nn.Module):
    """Strided 4^3 blocks C64, C128, C256, then one channel that says real or fake per patch.

    Parameters
    ----------
    inputs
        Channels: 2 for a pair (CT, micro-CT), 1 for single images.
    width
        Channels of the first block; each further block doubles them, up to eight times.
    blocks
        Number of strided blocks (3 in the thesis).
    """

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        widths = [inputs] + [width * min(2**k, 8) for k in range(blocks)]
        self.hidden = nn.ModuleList(
            _strided_block(widths[k], widths[k + 1], normalise=k > 0) for k in range(blocks)
        )
        self.last = nn.Conv3d(widths[-1], 1, 4, padding=1)

    def forward(self, pair: Tensor) -> Tensor:
        """Map images (batch, inputs, z, y, x) to logits of being real (batch, 1, z', y', x')."""
        verdict: Tensor = self.last(self.features(pair)[-1])
        return verdict

    def features(self, pair: Tensor) -> list[Tensor]:
        """Return the output of every hidden block: the layers of Eq. 3."""
        outputs = []
        for block in self.hidden:
            pair = block(pair)
            outputs.append(pair)
        return outputs


def _strided_block(inputs: int, outputs: int, normalise: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv3d(inputs, outputs, 4, stride=2, padding=1)]
    if normalise:
        layers.append(InstanceNorm(outputs))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))
