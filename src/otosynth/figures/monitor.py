"""Figure 5: what a person sees while a training runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from otosynth.figures.slices import Plane, add_scale_bar, show_classes, show_intensity
from otosynth.figures.style import GREY, SMALL_PT, bare, class_patches, new_figure
from otosynth.normalisation import Window

# The thesis's names of the five images, and what they show.
IMAGES = {
    "real_A": "CT",
    "fake_B": "synthetic micro-CT",
    "real_B": "micro-CT",
    "fake_class_map": "predicted classes",
    "target_class_map": "classes",
}
ROW_IN = 1.22
NORMALISED = Window(-1, 1)


@dataclass(frozen=True)
class MonitorRow:
    """One method's images at its selected epoch.

    Attributes
    ----------
    title, epoch
        The method's name and the epoch.
    images
        As ``training.monitor.monitor_images`` gives them; no class maps for a method without.
    inside
        The mask of the same slice (y, x).
    pixel_mm
        Height and width of a pixel.
    """

    title: str
    epoch: int
    images: Mapping[str, np.ndarray]
    inside: np.ndarray
    pixel_mm: tuple[float, float]


def draw_monitor(rows: list[MonitorRow], group: str, label: str) -> Figure:
    """Draw the training monitor's images, one row a method (thesis, Fig. 5)."""
    figure = new_figure(
        "Training monitor at the selected epoch",
        label,
        f"group {group}, a patch of the validation ear, intensities scaled to −1 … 1",
        len(rows) * ROW_IN + 0.6,
    )
    panels = figure.subplots(len(rows), len(IMAGES), squeeze=False)
    for row, axes_row in zip(rows, panels, strict=True):
        plane = Plane(0, 0, row.pixel_mm)
        for axes, name in zip(axes_row, IMAGES, strict=True):
            axes.set_box_aspect(1)
            if name not in row.images:
                bare(axes)
                axes.text(0.5, 0.5, "not given", ha="center", va="center", color=GREY)
            elif name.endswith("class_map"):
                show_classes(axes, row.images[name].astype(int), row.inside, plane)
            else:
                show_intensity(axes, row.images[name], plane, NORMALISED)
        axes_row[0].set_ylabel(f"{row.title}\nepoch {row.epoch}")
        add_scale_bar(axes_row[0])
    for axes, (name, meaning) in zip(panels[0], IMAGES.items(), strict=True):
        axes.set_title(f"{name}\n{meaning}", fontsize=SMALL_PT)
    figure.legend(handles=class_patches(), loc="outside lower right", ncols=3)
    return figure
