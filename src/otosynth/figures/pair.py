"""Figure 1: the CT, the micro-CT and the class map of one ear."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from otosynth.figures.slices import (
    Plane,
    add_scale_bar,
    show_classes,
    show_intensity,
    shown_point,
)
from otosynth.figures.style import SMALL_PT, class_patches, new_figure, number
from otosynth.normalisation import Normalisation, Window
from otosynth.pairs import Pair

CT_TITLE, MICROCT_TITLE, CLASSMAP_TITLE = "CT", "micro-CT", "class map"
ROW_IN = 2.05


def draw_pair(
    pair: Pair,
    spacing_mm: tuple[float, float, float],
    windows: Normalisation,
    specimen: str,
    label: str,
) -> Figure:
    """Draw three planes of a registered pair (thesis, Fig. 1).

    Parameters
    ----------
    pair
        The ear's volumes z, y, x.
    spacing_mm
        Voxel size z, y, x in mm.
    windows
        The intensities that are black and white.
    specimen, label
        The ear's name, and what the data are.
    """
    point = shown_point(pair.classmap, pair.mask, pair.cochlea, spacing_mm)
    planes = [Plane.across(axis, point[axis], spacing_mm) for axis in range(3)]
    figure = new_figure(
        "CT, micro-CT and class map of one ear", label, f"specimen {specimen}", 3 * ROW_IN + 0.5
    )
    panels = figure.subplots(3, 3)
    for row, plane in zip(panels, planes, strict=True):
        ct = show_intensity(row[0], plane.of(pair.ct), plane, windows.ct)
        microct = show_intensity(row[1], plane.of(pair.microct), plane, windows.microct)
        show_classes(row[2], plane.of(pair.classmap), plane.of(pair.mask), plane)
        row[0].set_ylabel(plane.title)
        add_scale_bar(row[0])
    for axes, title in zip(panels[0], (CT_TITLE, MICROCT_TITLE, CLASSMAP_TITLE), strict=True):
        axes.set_title(title)
    for column, image, window, unit in (
        (0, ct, windows.ct, "HU"),
        (1, microct, windows.microct, "scanner's unit"),
    ):
        bar = figure.colorbar(
            image, ax=panels[:, column], location="bottom", aspect=30, pad=0.01, shrink=0.9
        )
        ticks = _ticks(window)
        bar.set_ticks(ticks, labels=[number(tick) for tick in ticks])
        bar.minorticks_off()
        bar.set_label(unit, fontsize=SMALL_PT)
        bar.outline.set_visible(False)
    legend = panels[2, 2].legend(
        handles=class_patches(),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=3,
        handlelength=1.2,
        columnspacing=1.0,
    )
    legend.set_in_layout(False)
    return figure


def _ticks(window: Window) -> list[float]:
    """Return a few round intensities inside a window, evenly spread on its scale."""
    if window.scale == "log":
        return [float(f"{value:.1g}") for value in window.restore(np.linspace(-0.8, 0.8, 4))]
    ticks = MaxNLocator(4).tick_values(window.low, window.high)
    return [float(tick) for tick in ticks if window.low <= tick <= window.high]
