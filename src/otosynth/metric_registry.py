"""The one list of metrics: what each is called, which direction is better, where it is shown.

A new metric is its function (:mod:`otosynth.metrics`) and one line of :data:`METRICS`. Every other
module asks this list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from otosynth.errors import InputError


class Better(StrEnum):
    """Which values of a metric are better; NEITHER for what is a fact and no error."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


class Subject(StrEnum):
    """What a metric looks at; a study without it has no such scores."""

    CLASSES = "classes"
    COCHLEA = "classes at the cochlea"
    MICROCT = "synthetic micro-CT"
    SEGMENTED = "synthetic micro-CT, by a segmentor of micro-CTs"
    FIELD = "electric field"


class Place(StrEnum):
    """A table or a figure that shows chosen metrics, by the name of its file."""

    SUMMARY = "summary"
    COMPARISON = "comparison"
    FIGURE_7 = "fig7"
    FIGURE_9 = "fig9"
    FIGURE_11 = "fig11"
    DICE = "dice"
    COCHLEAR_DICE = "cochlear_dice"
    PERCEPTUAL_ERROR = "perceptual_error"
    TABLE_3 = "table3"
    VERDICTS = "verdicts"
    REPORTED_FIELD = "field"


@dataclass(frozen=True)
class Metric:
    """A metric of the table of scores.

    Attributes
    ----------
    name
        Its name in the column ``metric`` of ``tables/scores.csv``.
    title
        Its name in words, without the unit.
    unit
        Of the values; empty for a ratio or a count.
    better
        Which values are better. Of a signed metric, sizes are meant.
    source
        Its equation, or where it is defined (docs/method.md, section 8; docs/field.md).
    subject
        What it looks at.
    shown
        The tables and figures that show it, beside ``tables/scores.csv``, which has all metrics,
        and ``tables/measures.csv``, which has all of the micro-CT's grid.
    percent
        Whether sentences and Figure 11 write the ratio in percent.
    signed
        Whether a value of one contact has a sign; its size is what methods are compared by.
    """

    name: str
    title: str
    unit: str
    better: Better
    source: str
    subject: Subject
    shown: tuple[Place, ...] = ()
    percent: bool = False
    signed: bool = False

    @property
    def grid(self) -> str:
        """Return the grid of the values that are shown: ``field`` or ``microct``."""
        return "field" if self.subject is Subject.FIELD else "microct"

    @property
    def heading(self) -> str:
        """Return the title with the unit, as axes and tables show it."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def headline(self) -> str:
        """Return the heading as a figure's title begins with it."""
        return self.heading[:1].upper() + self.heading[1:]


_HIGHER, _LOWER, _NEITHER = Better.HIGHER, Better.LOWER, Better.NEITHER
_MICROCT, _SEGMENTED, _FIELD = Subject.MICROCT, Subject.SEGMENTED, Subject.FIELD
_COMPARED = (Place.SUMMARY, Place.COMPARISON, Place.FIGURE_7, Place.FIGURE_9)
_IN_FIGURE_11 = (Place.FIGURE_11, Place.REPORTED_FIELD)

# In the order in which tables and figures show them.
METRICS = (
    Metric("dice", "Dice", "", _HIGHER, "Eq. 7", Subject.CLASSES, (*_COMPARED, Place.DICE, Place.VERDICTS)),
    Metric("mean_dice", "mean Dice", "", _HIGHER, "mean of Eq. 7 over the classes", Subject.CLASSES, (*_COMPARED, Place.VERDICTS)),
    Metric("cochlear_dice", "Dice at the cochlea", "", _HIGHER, "Eq. 7 within 0.5 mm of the scalae", Subject.COCHLEA, (*_COMPARED, Place.COCHLEAR_DICE)),
    Metric("cochlear_mean_dice", "mean Dice at the cochlea", "", _HIGHER, "mean of cochlear_dice over soft tissue and bone", Subject.COCHLEA, (*_COMPARED, Place.VERDICTS)),
    Metric("assd_mm", "ASSD", "mm", _LOWER, "average symmetric surface distance", Subject.CLASSES),
    Metric("hd95_mm", "HD95", "mm", _LOWER, "95th percentile of the Hausdorff distance", Subject.CLASSES),
    Metric("perceptual_error", "perceptual error", "", _LOWER, "Eq. 8", _MICROCT, (Place.PERCEPTUAL_ERROR, Place.TABLE_3)),
    Metric("psnr_db", "PSNR", "dB", _HIGHER, "peak signal-to-noise ratio", _MICROCT),
    Metric("ssim", "SSIM", "", _HIGHER, "structural similarity, windows of 7^3 voxels", _MICROCT),
    Metric("mean_absolute_error", "mean absolute error", "", _LOWER, "mean of |y - G(x)|, in the micro-CT's unit", _MICROCT),
    Metric("psnr_local_db", "local PSNR", "dB", _HIGHER, "PSNR within 0.5 mm of soft tissue, after Wu 2023", _MICROCT),
    Metric("ssim_local", "local SSIM", "", _HIGHER, "SSIM within 0.5 mm of soft tissue, after Wu 2023", _MICROCT),
    Metric("pixel_accuracy", "pixel accuracy", "", _HIGHER, "Guo 2021, Table I", _MICROCT),
    Metric("perceptibility_dice", "perceptibility, Dice", "", _HIGHER, "Wu 2023, 4.1", _SEGMENTED),
    Metric("perceptibility_assd_mm", "perceptibility, ASSD", "mm", _LOWER, "Wu 2023, 4.1", _SEGMENTED),
    Metric("perceptibility_hd95_mm", "perceptibility, HD95", "mm", _LOWER, "Wu 2023, 4.1", _SEGMENTED),
    Metric("s_score", "S-score", "", _HIGHER, "Zhang 2018, 5.2", _SEGMENTED),
    Metric("field_error", "error of the electric field", "", _LOWER, "docs/field.md", _FIELD, (*_IN_FIGURE_11, Place.VERDICTS), percent=True),
    Metric("field_peak_shift_mm", "shift of the peak", "mm", _LOWER, "docs/field.md", _FIELD, _IN_FIGURE_11, signed=True),
    Metric("field_peak_shift_deg", "shift of the peak", "°", _LOWER, "docs/field.md", _FIELD, signed=True),
    Metric("field_width_mm", "width of the peak", "mm", _NEITHER, "docs/field.md", _FIELD),
    Metric("field_true_width_mm", "true width of the peak", "mm", _NEITHER, "docs/field.md", _FIELD),
    Metric("field_width_error_mm", "error of the width", "mm", _LOWER, "docs/field.md", _FIELD, _IN_FIGURE_11, signed=True),
    Metric("field_rank_correlation", "rank correlation", "", _HIGHER, "docs/field.md (Kendall's tau)", _FIELD, (Place.REPORTED_FIELD,)),
    Metric("field_ranking_kept", "order of contacts kept", "", _HIGHER, "docs/field.md", _FIELD),
    Metric("field_contacts_lost", "contacts lost", "", _LOWER, "docs/field.md", _FIELD, (Place.REPORTED_FIELD,)),
)  # fmt: skip
_BY_NAME = {metric.name: metric for metric in METRICS}


def metric_of(name: str) -> Metric:
    """Return a metric by its name.

    Raises
    ------
    InputError
        If the registry has no such metric.
    """
    if name not in _BY_NAME:
        raise InputError(
            f"There is no metric '{name}'. There are: {', '.join(_BY_NAME)}. A new one needs a "
            "line in otosynth.metric_registry."
        )
    return _BY_NAME[name]


def metrics_in(place: Place) -> list[Metric]:
    """Return the metrics that a table or a figure shows, in its order."""
    return [metric for metric in METRICS if place in metric.shown]


def drawn_with(name: str) -> Sequence[str]:
    """Return what Figures 7 and 9 draw for the key ``figures.metric``.

    Dice stands for all Dice: of the whole volume, at the cochlea, and the means.
    """
    if name == "dice":
        return [metric.name for metric in metrics_in(Place.FIGURE_7)]
    return [metric_of(name).name]
