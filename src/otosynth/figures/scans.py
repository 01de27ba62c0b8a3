"""A raw pair before anything is done with it: three planes of each scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from otosynth.figures.slices import Plane, add_directions, add_scale_bar, show_intensity
from otosynth.figures.style import new_figure
from otosynth.normalisation import Window

ROW_IN = 2.0
GREY_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Scan:
    """A scan to be shown: its title, voxels (z, y, x) and voxel size (z, y, x) in mm.

    ``direction``, as ITK has it, tells the patient's sides; None where the scanner knows none.
    """

    title: str
    voxels: np.ndarray
    spacing_mm: tuple[float, float, float]
    direction: Sequence[float] | None = None


def draw_scans(scans: Sequence[Scan], specimen: str, note: str, label: str) -> Figure:
    """Draw the middle planes of an ear's scans, each from its own 0.5th to 99.5th percentile.

    Parameters
    ----------
    specimen, note, label
        The ear's name, what is to be said of it, and what the data are.
    """
    figure = new_figure(f"Raw scans of {specimen}", label, note, len(scans) * ROW_IN)
    grid = figure.add_gridspec(len(scans), 3)
    for row, scan in enumerate(scans):
        # Every n-th voxel tells the window as well.
        some = scan.voxels.ravel()[:: max(1, scan.voxels.size // 1_000_000)]
        low, high = np.percentile(some, GREY_PERCENTILES)
        window = Window(float(low), float(max(high, low + 1e-6)))
        for axis in range(3):
            axes = figure.add_subplot(grid[row, axis])
            plane = Plane.across(axis, scan.voxels.shape[axis] // 2, scan.spacing_mm)
            show_intensity(axes, plane.of(scan.voxels), plane, window)
            add_scale_bar(axes)
            if scan.direction is not None:
                add_directions(axes, plane, scan.direction)
            if row == 0:
                axes.set_title(plane.title)
            if axis == 0:
                axes.set_ylabel(scan.title)
    return figure
