"""What a built network consists of, block by block, read from its modules."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import nn

from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator, ResidualBlock
from otosynth.networks.upsampling import UpsamplingConvolution


@dataclass(frozen=True)
class Block:
    """One block of a network.

    Attributes
    ----------
    operation
        ``convolution``, ``transposed``, ``nearest`` (up-sampling, then convolution) or
        ``residual``.
    kernel, stride, channels
        Of its convolution: edge in voxels, step in voxels, outputs.
    size
        Edge of its output (voxels).
    repeats
        How often it follows itself.
    """

    operation: str
    kernel: int
    stride: int
    channels: int
    size: int
    repeats: int = 1


def generator_plan(network: Generator, size: int) -> list[Block]:
    """Return a generator's blocks for input patches of an edge of ``size`` voxels."""
    return _merged(_plan(network.layers, size))


def discriminator_plan(network: Discriminator, size: int) -> list[Block]:
    """Return a discriminator's blocks; the last one gives the verdict."""
    layers = [layer for block in network.hidden for layer in block.children()]
    return _plan([*layers, network.last], size)


def parameters(network: nn.Module) -> int:
    """Return the number of trained numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def norm_of(network: nn.Module) -> str:
    """Return the name of a network's normalisation."""
    modules = list(network.modules())
    if any(isinstance(module, nn.GroupNorm) for module in modules):
        return "layer norm"
    return "instance norm" if any(isinstance(m, nn.InstanceNorm3d) for m in modules) else "no norm"


def dropout_of(network: nn.Module) -> float:
    """Return the share of features that dropout takes away; 0 without dropout."""
    return next((m.p for m in network.modules() if isinstance(m, nn.Dropout)), 0.0)


def _plan(layers: Iterable[nn.Module], size: int) -> list[Block]:
    blocks = []
    for layer in layers:
        block = _block(layer, size)
        if block is not None:
            blocks.append(block)
            size = block.size
    return blocks


def _block(layer: nn.Module, size: int) -> Block | None:
    """Return a layer as a block; None for what only follows a convolution, such as ReLU."""
    if isinstance(layer, ResidualBlock):
        convolution = layer.layers[0]
        assert isinstance(convolution, nn.Conv3d)
        return Block("residual", convolution.kernel_size[0], 1, convolution.out_channels, size)
    if isinstance(layer, UpsamplingConvolution):
        return replace(_convolution(layer, 2 * size), operation="nearest")
    if isinstance(layer, nn.ConvTranspose3d):
        stride = layer.stride[0]
        return Block("transposed", layer.kernel_size[0], stride, layer.out_channels, size * stride)
    if isinstance(layer, nn.Conv3d):
        return _convolution(layer, size)
    return None


def _convolution(layer: nn.Conv3d, size: int) -> Block:
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    return Block(
        "convolution",
        kernel,
        stride,
        layer.out_channels,
        (size + 2 * padding - kernel) // stride + 1,
    )


def _merged(blocks: list[Block]) -> list[Block]:
    """Count equal residual blocks in a row as one that is repeated."""
    merged: list[Block] = []
    for block in blocks:
        last = merged[-1] if merged else None
        if last and block.operation == "residual" and replace(last, repeats=1) == block:
            merged[-1] = replace(last, repeats=last.repeats + 1)
        else:
            merged.append(block)
    return merged
