"""Figures 3 and 4: a method's networks and losses, as configured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from otosynth.figures.network_plan import (
    Block,
    discriminator_plan,
    dropout_of,
    generator_plan,
    norm_of,
    parameters,
)
from otosynth.figures.style import GREY, HEADER_IN, INK, SMALL_PT, TEXT_PT, WIDTH_IN, new_figure
from otosynth.methods.conditional_gan import ConditionalGan
from otosynth.networks.discriminator import Discriminator
from otosynth.networks.generator import Generator

HEIGHT_IN = 4.75
# Pale tints of the palette, so that text stays readable on them.
DATA, DOWN, TRUNK, UP, JUDGE, LOSS = (
    "#FFFFFF", "#D3E9F7", "#F9E3B8", "#CFEBE1", "#F0DBE7", "#F2F2F2",
)  # fmt: skip
OPERATION_COLOURS = {"convolution": DOWN, "residual": TRUNK, "nearest": UP, "transposed": UP}
GAP_IN = 0.09
# Height of a block whose output has the input's size, and of the smallest one.
TALLEST_IN, SHORTEST_IN = 1.12, 0.68


@dataclass(frozen=True)
class LossText:
    """How a loss is written in the diagram."""

    title: str
    equation: str
    meaning: str


LOSSES = {
    "adversarial": LossText("adversarial", "Eq. 1", "D(x, ŷ)\nshall say real"),
    "weighted_l1": LossText("weighted L1", "Eq. 2", "|y − ŷ|, each class\nweighs the same"),
    "perception": LossText("perception", "Eq. 3", "hidden layers of D:\n(y, y), (ŷ, ŷ)"),
    "dice": LossText("Dice", "Eq. 4", "p and the\nclass map of y"),
}
TOTAL_EQUATIONS = {"single_task": "Eq. 5", "multi_task": "Eq. 6"}


def draw_framework(method: ConditionalGan, name: str, title: str, size: int, label: str) -> Figure:
    """Draw generator, discriminator and losses of a method (thesis, Fig. 3 and 4).

    Everything is read from the built networks and from the method's loss weights.

    Parameters
    ----------
    method
        The configured method.
    name, title
        Its key in the configuration, and its name in figures.
    size
        Edge of a patch (voxels).
    label
        What the data are.
    """
    networks = method.build_networks(seed=0)
    generator, discriminator = networks["generator"], networks["discriminator"]
    assert isinstance(generator, Generator)
    assert isinstance(discriminator, Discriminator)
    figure = new_figure(
        f"{title}: 3D conditional GAN as configured",
        label,
        f"patches of {size}³ voxels, boxes: kernel, stride, channels × voxels"
        + (
            f", pair down-sampled by {method.settings.factor}" if method.settings.factor > 1 else ""
        ),
        HEIGHT_IN,
    )
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, HEIGHT_IN / (HEIGHT_IN + HEADER_IN)))
    axes.set(xlim=(0, WIDTH_IN), ylim=(0, HEIGHT_IN))
    axes.axis("off")
    _draw_generator(axes, generator, size, method.settings.gives_classes)
    _draw_discriminator(axes, discriminator, size)
    _draw_losses(axes, method.weights("generator", epoch=0), TOTAL_EQUATIONS[name])
    if method.settings.adversarial == "least_squares":
        _text(axes, 0.06, 0.36, "adversarial losses: least squares", colour=GREY)
    return figure


def _draw_generator(axes: Axes, network: Generator, size: int, gives_class_map: bool) -> None:
    middle = 3.7
    _panel(axes, 0.86, 2.82, 5.42, 4.72)
    _text(
        axes, 0.94, 4.6,
        f"Generator G   {_millions(parameters(network))}, dropout {dropout_of(network):g}",
        bold=True,
    )  # fmt: skip
    _text(
        axes,
        0.94,
        2.93,
        f"after every convolution but the last: {norm_of(network)} and ReLU",
        colour=GREY,
    )
    ends = _blocks_in_a_row(axes, generator_plan(network, size), 0.96, 5.32, middle)
    _box(axes, 0.06, 0.72, middle, 0.7, f"CT\npatch x\n1 × {size}³", DATA)
    _arrow(axes, (0.72, middle), (ends[0], middle))
    outputs = [("synthetic\nmicro-CT ŷ\n(tanh)", 3.7)]
    if gives_class_map:
        outputs = [
            ("classes p\n3 channels\n(softmax)", 4.2),
            ("synthetic\nmicro-CT ŷ\n(tanh)", 3.2),
        ]
    for text, height in outputs:
        _box(axes, 5.52, 6.24, height, 0.6, text, DATA)
        _arrow(axes, (ends[1], middle), (5.52, height))


def _draw_discriminator(axes: Axes, network: Discriminator, size: int) -> None:
    middle = 1.98
    _panel(axes, 1.5, 1.28, 5.0, 2.62)
    _text(axes, 1.58, 2.5, f"Discriminator D   {_millions(parameters(network))}", bold=True)
    _text(
        axes,
        1.58,
        1.4,
        f"hidden layers: LeakyReLU, from the second on {norm_of(network)}",
        colour=GREY,
    )
    plan = discriminator_plan(network, size)
    ends = _blocks_in_a_row(axes, plan, 1.6, 4.9, middle, colour=JUDGE)
    _box(axes, 0.06, 1.3, middle + 0.22, 0.36, "(x, y): real pair", DATA)
    _box(axes, 0.06, 1.3, middle - 0.22, 0.36, "(x, ŷ): synthetic", DATA)
    _text(axes, 0.68, middle - 0.5, "y: micro-CT patch", colour=GREY, centred=True)
    for height in (middle + 0.22, middle - 0.22):
        _arrow(axes, (1.3, height), (ends[0], middle))
    verdict = f"real or\nsynthetic?\n{plan[-1].size}³ verdicts"
    _box(axes, 5.16, 6.24, middle, 0.6, verdict, DATA)
    _arrow(axes, (ends[1], middle), (5.16, middle))


def _draw_losses(axes: Axes, weights: Mapping[str, float], equation: str) -> None:
    _text(axes, 0.06, 0.78, "G minimises", bold=True)
    _text(axes, 0.06, 0.62, f"({equation})", colour=GREY)
    left, right, gap = 0.92, 6.24, 0.16
    width = (right - left - gap * (len(weights) - 1)) / len(weights)
    for number, (name, weight) in enumerate(weights.items()):
        loss = LOSSES[name]
        start = left + number * (width + gap)
        _box(axes, start, start + width, 0.72, 0.76, "", LOSS)
        centre = start + width / 2
        _text(axes, centre, 0.97, f"{weight:g} × {loss.title}", bold=True, centred=True)
        _text(axes, centre, 0.82, loss.equation, colour=GREY, centred=True)
        _text(axes, centre, 0.56, loss.meaning, centred=True)
        if number:
            _text(axes, start - gap / 2, 0.72, "+", bold=True, centred=True)
    _text(axes, 0.06, 0.16, "D minimises", bold=True)
    _text(
        axes,
        0.92,
        0.16,
        "the adversarial loss (Eq. 1): (x, y) real, (x, ŷ) synthetic; one step after each of G",
    )


def _blocks_in_a_row(
    axes: Axes,
    blocks: Sequence[Block],
    left: float,
    right: float,
    middle: float,
    colour: str | None = None,
) -> tuple[float, float]:
    """Draw blocks from left to right with arrows between; return where the row begins and ends."""
    width = (right - left - GAP_IN * (len(blocks) - 1)) / len(blocks)
    largest = max(block.size for block in blocks)
    for number, block in enumerate(blocks):
        start = left + number * (width + GAP_IN)
        height = SHORTEST_IN + (TALLEST_IN - SHORTEST_IN) * block.size / largest
        if colour is not None:
            height = SHORTEST_IN
        face = colour or OPERATION_COLOURS[block.operation]
        _box(axes, start, start + width, middle, height, "\n".join(_lines(block)), face)
        if number:
            _arrow(axes, (start - GAP_IN, middle), (start, middle))
    return left, right


def _lines(block: Block) -> list[str]:
    """Return what stands in a block: operation, kernel, channels and output edge."""
    kernel, shape = f"{block.kernel}³", f"{block.channels} × {block.size}³"
    if block.operation == "residual":
        return [f"{block.repeats} ×", "residual", kernel, shape]
    if block.operation == "nearest":
        return ["up ×2", "nearest", f"conv {kernel}", shape]
    if block.operation == "transposed":
        return ["up ×2", "transp.", f"conv {kernel}", shape]
    stride = [f"stride {block.stride}"] if block.stride > 1 else []
    return [f"conv {kernel}", *stride, shape]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} million weights"


def _panel(axes: Axes, left: float, bottom: float, right: float, top: float) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), right - left, top - bottom, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#FAFAFA", edgecolor="#BBBBBB", linewidth=0.7,
        )
    )  # fmt: skip


def _box(
    axes: Axes, left: float, right: float, middle: float, height: float, text: str, face: str
) -> None:
    axes.add_patch(
        Rectangle(
            (left, middle - height / 2), right - left, height, facecolor=face, edgecolor=INK,
            linewidth=0.7,
        )
    )  # fmt: skip
    _text(axes, (left + right) / 2, middle, text, centred=True)


def _text(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    colour: str = INK,
    bold: bool = False,
    centred: bool = False,
) -> None:
    axes.text(
        x, y, text, ha="center" if centred else "left", va="center", color=colour,
        fontsize=SMALL_PT if not bold else TEXT_PT, fontweight="bold" if bold else "normal",
        linespacing=1.25,
    )  # fmt: skip


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=6, linewidth=0.8, color=INK, shrinkA=0,
            shrinkB=0,
        )
    )  # fmt: skip
