"""Quality of one class map: the micro-CT's histogram and where it was cut."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from otosynth.classmap import GREY_LEVELS, Histogram
from otosynth.figures.style import CLASS_COLOURS, CLASS_TITLES, INK, SMALL_PT, new_figure, number
from otosynth.tissues import CLASSES

HEIGHT_IN = 2.5
TICKS = 7


def draw_histogram(
    counted: Histogram,
    thresholds: tuple[float, float],
    fraction: Mapping[str, float],
    logarithmic: bool,
    specimen: str,
    label: str,
) -> Figure:
    """Draw the histogram that was thresholded, with its classes in their colours.

    Parameters
    ----------
    counted
        Counts inside the mask and inside the configured window.
    thresholds
        Micro-CT intensities: air below the first, bone from the second on.
    fraction
        Share of each class in the closed class map inside the mask, by class.
    logarithmic
        Whether the logarithm was thresholded; the axis then is logarithmic too.
    specimen, label
        The ear's name, and what the data are.
    """
    low, high = float(counted.edges[0]), float(counted.edges[-1])
    scale = "logarithm of the intensity" if logarithmic else "intensity"
    figure = new_figure(
        "Histogram of the micro-CT with Otsu's thresholds",
        label,
        f"specimen {specimen} · thresholded: {scale} between {number(low)} and {number(high)}",
        HEIGHT_IN,
    )
    axes = figure.subplots()
    thousands = counted.counts / 1000
    limits = (low, *thresholds, high)
    for k, (name, title) in enumerate(zip(CLASSES, CLASS_TITLES, strict=True)):
        edges, counts = _between(counted.edges, thousands, limits[k], limits[k + 1])
        axes.stairs(
            counts, edges, fill=True, facecolor=CLASS_COLOURS[k],
            label=f"{title}: {fraction[name]:.1%} of the class map",
        )  # fmt: skip
    axes.stairs(thousands, counted.edges, color=INK, linewidth=0.7)
    if logarithmic:
        _scale_by_logarithm(axes, low, high)
    top = 1.12 * float(thousands.max())
    for threshold, side, shift in zip(thresholds, ("right", "left"), (-2, 2), strict=True):
        axes.axvline(threshold, color=INK, linewidth=0.8, linestyle="--")
        axes.annotate(
            number(threshold), (threshold, top), xytext=(shift, -1), textcoords="offset points",
            ha=side, va="top", fontsize=SMALL_PT,
        )  # fmt: skip
    axes.set_ylim(0, top)
    axes.set_xlim(low, high)
    axes.set_xlabel("micro-CT intensity (scanner's unit)")
    axes.set_ylabel("voxels (thousands)")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _between(
    edges: np.ndarray, counts: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the histogram between two intensities, its outer bins cut there."""
    chosen = np.flatnonzero((edges[1:] > low) & (edges[:-1] < high))
    return np.clip(edges[chosen[0] : chosen[-1] + 2], low, high), counts[chosen]


def _scale_by_logarithm(axes: Axes, low: float, high: float) -> None:
    """Scale the intensity axis as ``classmap.histogram`` scales its bins."""
    unit = (high - low) / GREY_LEVELS

    def forward(values: np.ndarray) -> np.ndarray:
        return np.log1p(np.maximum(values - low, 0) / unit)

    def backward(logarithms: np.ndarray) -> np.ndarray:
        return low + np.expm1(logarithms) * unit

    axes.set_xscale("function", functions=(forward, backward))
    ticks: Sequence[float] = backward(np.linspace(0, np.log1p(GREY_LEVELS), TICKS)).tolist()
    axes.set_xticks(ticks, [number(tick) for tick in ticks])
