"""Axes that the figures of benchmarks share."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter

from otosynth.figures.style import GREY

# Of each method of the thesis; the colour-blind see them apart, too.
COLOURS = {"single_task": "#56B4E9", "multi_task": "#D55E00"}


def label_growth(axes: Axes, sizes: Sequence[int], x_title: str, y_title: str) -> None:
    """Make both axes logarithmic, with the sizes themselves as ticks."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.set(xlabel=x_title, ylabel=y_title)
    # 400 and not 4 x 10^2.
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))


def draw_roof(axes: Axes, intensity: tuple[float, float], flops: float, bandwidth: float) -> None:
    """Draw what arithmetic and memory allow, between two numbers of operations a byte."""
    along = np.geomspace(*intensity, 100)
    axes.loglog(along, np.minimum(flops, along * bandwidth), color=GREY)
    axes.set(xlabel="flop / byte moved")
