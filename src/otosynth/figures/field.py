"""Figure 12: the electric field of a cochlear implant in one plane, by every method's class map."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine

from otosynth.figures.slices import Plane, add_contours, add_scale_bar, show_classes
from otosynth.figures.style import CLASS_COLOURS, CLASS_TITLES, INK, WIDTH_IN, bare, new_figure
from otosynth.tissues import BONE

# What a slice's title, colour bar and its numbers take.
BAR_IN = 0.85
# Errors are shown up to the first of these sizes that holds such a share of them; potentials and
# sensitivities over so many powers of ten.
LIMITS_PERCENT, SHARE = (5.0, 10.0, 25.0, 50.0), 0.95
DECADES = {"potential": 2, "sensitivity": 3}


@dataclass(frozen=True)
class FieldSlice:
    """One plane of a field; images are (rows, columns).

    Attributes
    ----------
    classes
        The micro-CT's class map; its pixels may be finer than those of the other images.
    potential
        By that map (ohm, NaN in air).
    errors
        Of each method by its title: predicted minus true potential over the true, in percent.
    sensitivity
        Change (%) of the potential at the peak of the nerve for 1 % more conductivity of a voxel.
    contacts_mm
        Contacts near the plane (n, 2): mm from the image's left and upper border; the first feeds
        the current.
    """

    classes: np.ndarray
    potential: np.ndarray
    errors: Mapping[str, np.ndarray]
    sensitivity: np.ndarray
    contacts_mm: np.ndarray


def draw_field(field: FieldSlice, plane: Plane, specimen: str, contact: int, label: str) -> Figure:
    """Draw the field of one contact round the array, its errors, and where maps matter for it.

    Parameters
    ----------
    field, plane
        What is shown, and which plane it is.
    specimen, contact, label
        The ear, the contact that feeds the current, and what the data are.
    """
    # Three panels of the truth, then one for each method; as many columns as leave no gap.
    columns = 4 if len(field.errors) % 3 == 1 and len(field.errors) > 1 else 3
    rows = 1 + -(-len(field.errors) // columns)
    figure = new_figure(
        "Electric field round the electrode array",
        label,
        f"{specimen}, {plane.title}; lines: border of bone; diamond: contact {contact}, which "
        "feeds; dots: other contacts",
        rows * (WIDTH_IN / columns + BAR_IN),
    )
    panels = figure.subplots(rows, columns, squeeze=False)
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(hspace=0.08)
    truth, methods = panels[0], panels[1:].ravel()
    fine = _finer_plane(field, plane)
    show_classes(truth[0], field.classes, np.ones_like(field.classes), fine)
    _add_contacts(truth[0], field)
    truth[0].set_title("the micro-CT's class map")
    add_scale_bar(truth[0])
    classes = ScalarMappable(BoundaryNorm(np.arange(4) - 0.5, 3), ListedColormap(CLASS_COLOURS))
    bar = _add_bar(figure, classes, truth[0], "class")
    bar.set_ticks(range(3), labels=CLASS_TITLES)
    potential = _powers_of_ten(field.potential, DECADES["potential"])
    shown = _show(truth[1], field.potential, field, plane, "viridis", potential)
    truth[1].set_title("potential by it")
    _add_bar(figure, shown, truth[1], "mV for 1 mA")
    size = np.abs(field.sensitivity)
    norm = _powers_of_ten(size, DECADES["sensitivity"])
    shown = _show(truth[2], size, field, plane, "magma", norm, line="white")
    truth[2].set_title("sensitivity at the nerve")
    _add_bar(figure, shown, truth[2], "% for 1 % of a voxel")
    limit = _error_limit(field.errors.values())
    for axes, (title, error) in zip(methods, field.errors.items(), strict=False):
        shown = _show(axes, error, field, plane, "RdBu_r", Normalize(-limit, limit))
        axes.set_title(title)
    if field.errors:
        _add_bar(figure, shown, list(panels[1:].ravel()), "error of the potential (%)", "both")
    for axes in [*truth[3:], *methods[len(field.errors) :]]:
        axes.set_visible(False)
    return figure


def _finer_plane(field: FieldSlice, plane: Plane) -> Plane:
    """Return the plane with the pixels of the class map."""
    height, width = (
        mm * coarse / fine
        for mm, coarse, fine in zip(
            plane.spacing_mm, field.potential.shape, field.classes.shape, strict=True
        )
    )
    return replace(plane, spacing_mm=(height, width))


def _add_bar(
    figure: Figure,
    shown: ScalarMappable,
    axes: Axes | list[Axes],
    title: str,
    extend: str = "neither",
) -> Colorbar:
    aspect = 15 * (len(axes) if isinstance(axes, list) else 1)
    return figure.colorbar(
        shown, ax=axes, label=title, location="bottom", extend=extend, aspect=aspect
    )


def _error_limit(errors: Iterable[np.ndarray]) -> float:
    """Return the first limit (%) that holds nearly all errors, or the largest."""
    known = [np.abs(error[np.isfinite(error)]) for error in errors]
    sizes = np.concatenate([*known, np.zeros(1)])
    return next((k for k in LIMITS_PERCENT if np.mean(sizes <= k) > SHARE), LIMITS_PERCENT[-1])


def _powers_of_ten(image: np.ndarray, decades: int) -> LogNorm:
    largest = float(np.nanmax(image)) or 1.0
    return LogNorm(largest / 10**decades, largest, clip=True)


def _show(
    axes: Axes,
    image: np.ndarray,
    field: FieldSlice,
    plane: Plane,
    colours: str,
    norm: Normalize,
    line: str = INK,
) -> AxesImage:
    height, width = (n * mm for n, mm in zip(image.shape, plane.spacing_mm, strict=True))
    shown = axes.imshow(image, cmap=colours, norm=norm, extent=(0.0, width, height, 0.0))
    bare(axes)
    bone = (field.classes == BONE).astype(float)
    add_contours(axes, bone, _finer_plane(field, plane), 0.5, line)
    _add_contacts(axes, field)
    return shown


def _add_contacts(axes: Axes, field: FieldSlice) -> None:
    first, others = field.contacts_mm[:1], field.contacts_mm[1:]
    white: dict[str, Any] = {"color": "white", "markeredgecolor": INK}
    axes.plot(*others.T, "o", markersize=3, **white)
    axes.plot(*first.T, "D", markersize=4.5, **white)
