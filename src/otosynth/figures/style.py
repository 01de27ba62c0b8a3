"""One look for all figures, and files that are the same bytes whenever they are drawn."""

import logging
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from otosynth.files import written_whole
from otosynth.provenance.carried import figure_metadata
from otosynth.rows import Kind, kind_of

WIDTH_IN = 6.3
"""Text width of a thesis page (inches)."""

HEADER_IN = 0.4
"""Height of the two lines above every figure (inches)."""

HEADER_CHARACTERS, HEADER_LINE_IN = 112, 0.13
"""How many fit into the second line; what follows takes further lines of this height (inches)."""

SMALL_PT, TEXT_PT, TITLE_PT = 7, 8, 9
"""Font sizes at print size; nothing is smaller than the first."""

CLASS_TITLES = ("air", "soft tissue", "bone")
# Okabe and Ito's colours (2008), told apart by every kind of colour vision; ordered from dark to
# light like the tissues in a scan, so they survive a grey printer as well.
CLASS_COLOURS = ("#0072B2", "#E69F00", "#F5ECB5")
OUTSIDE_COLOUR = "#BDBDBD"
INK, GREY, PALE = "#222222", "#777777", "#E8E8E8"
# What needs no training is grey, whatever knows the truth is white.
KIND_COLOURS = {Kind.YARDSTICK: "#D4D4D4", Kind.ATLAS: "#999999", Kind.CEILING: "#FFFFFF"}
# The same palette for trained methods, in the order of the configuration.
METHOD_COLOURS = (
    "#56B4E9", "#D55E00", "#009E73", "#CC79A7", "#0072B2", "#E69F00", "#F0E442", "#B2DF8A",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D")

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "text.color": INK,
    # TrueType fonts, so that text in the PDF can be searched and edited.
    "pdf.fonttype": 42,
}
# A file must not tell when or by which version it was drawn.
METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def new_figure(title: str, label: str, note: str, height_in: float) -> Figure:
    """Return an empty figure of page width that says what it shows and of which data.

    Parameters
    ----------
    title
        What the figure is.
    label
        What the data are, e.g. ``phantom``.
    note
        The second line after the label: specimen, windows, group.
    height_in
        Height without the header (inches).
    """
    # From the defaults, so that a matplotlibrc of the user changes nothing.
    matplotlib.rcdefaults()
    matplotlib.use("Agg")
    matplotlib.rcParams.update(RC)
    line = f"Data: {label}" + (f" · {note}" if note else "")
    lines = textwrap.wrap(line, HEADER_CHARACTERS)
    header_in = HEADER_IN + HEADER_LINE_IN * (len(lines) - 1)
    height = height_in + header_in
    figure = Figure(figsize=(WIDTH_IN, height))
    figure.set_layout_engine(
        "constrained", rect=(0, 0, 1, 1 - header_in / height), w_pad=0.03, h_pad=0.03
    )
    margin = 0.04 / WIDTH_IN
    figure.text(margin, 1 - 0.04 / height, title, va="top", fontsize=TITLE_PT, fontweight="bold")
    figure.text(margin, 1 - 0.2 / height, "\n".join(lines), va="top", fontsize=SMALL_PT, color=GREY)
    return figure


def write_figure(figure: Figure, files: Iterable[str], dpi: int, digest: str) -> None:
    """Write a figure in the format of each file's suffix (.png or .pdf).

    The same figure gives the same bytes: no date and no version stands in the files.

    Parameters
    ----------
    digest
        What the figure was made from (:func:`otosynth.provenance.records.decisions_digest`);
        it stands in the files' metadata.
    """
    # Else it tells every glyph that it puts into a PDF.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    for file in map(Path, files):
        with written_whole(file) as beside:
            figure.savefig(
                beside,
                dpi=dpi,
                metadata=METADATA[file.suffix] | figure_metadata(file.suffix, digest),
            )
        # Every format gets the layout of the first, which takes longer than the drawing.
        figure.set_layout_engine("none")


def method_markers(methods: Iterable[str]) -> dict[str, str]:
    """Return a marker for each method: another where colours come round again.

    Those of a kind that shares a colour have one each in turn.
    """
    rounds = {
        method: k if kind in KIND_COLOURS else k // len(METHOD_COLOURS)
        for kind, of_kind in _by_kind(methods).items()
        for k, method in enumerate(of_kind)
    }
    return {method: MARKERS[k % len(MARKERS)] for method, k in rounds.items()}


def method_colours(methods: Sequence[str]) -> dict[str, str]:
    """Return a colour for each method: its kind's, or for trained ones the palette in turn."""
    return {
        method: KIND_COLOURS.get(kind, METHOD_COLOURS[k % len(METHOD_COLOURS)])
        for kind, of_kind in _by_kind(methods).items()
        for k, method in enumerate(of_kind)
    }


def _by_kind(methods: Iterable[str]) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = {}
    for method in methods:
        found.setdefault(kind_of(method), []).append(method)
    return found


def class_patches() -> list[Patch]:
    """Return the legend entries of the three classes."""
    return [
        Patch(facecolor=colour, edgecolor=GREY, linewidth=0.5, label=title)
        for colour, title in zip(CLASS_COLOURS, CLASS_TITLES, strict=True)
    ]


def number(value: float) -> str:
    """Return a number with three digits and a true minus sign."""
    return f"{float(f'{value:.3g}'):g}".replace("-", "\N{MINUS SIGN}")


def few_ticks() -> MaxNLocator:
    """Return a locator of about three round values."""
    return MaxNLocator(3, steps=[1, 2, 5, 10])


def pale_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Draw pale lines behind all else, to read values by."""
    axes.grid(axis=axis, color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """Take ticks and frame away: an image needs none."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
