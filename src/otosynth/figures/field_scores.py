"""Figure 11: how far the electric field is off by every method's class map."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from otosynth.figures.method_rows import ceiling_note, draw_boxes, write_titles
from otosynth.figures.style import (
    CLASS_TITLES,
    GREY,
    INK,
    SMALL_PT,
    few_ticks,
    method_colours,
    method_markers,
    new_figure,
    number,
    pale_grid,
)
from otosynth.rows import without_ceilings
from otosynth.tissues import CLASSES

ROW_IN, SCATTER_IN = 0.36, 1.9
# What is shown of every contact: a metric, its title and the factor to the title's unit.
SHOWN = (
    ("field_error", "error of the potential (%)", 100.0),
    ("field_peak_shift_mm", "shift of its peak (mm)", 1.0),
    ("field_width_error_mm", "error of its width (mm)", 1.0),
)
LEAST_PREDICTIONS = 3


def draw_field_scores(scores: pd.DataFrame, titles: Mapping[str, str], label: str) -> Figure:
    """Draw how far each method's field is from the true one, and how that goes with the Dice.

    Parameters
    ----------
    scores
        The long table of all scores (:data:`otosynth.scores.SCORE_COLUMNS`); an empty class may be
        NaN.
    titles
        Method to its name, in the order of the rows.
    label
        What the data are.
    """
    scores = scores.fillna({"class": ""})
    of_field = scores[scores["grid"] == "field"]
    # Shifts and widths have a sign, which would cancel over seeds.
    field = _mean_over_seeds(of_field.assign(value=of_field["value"].abs()))
    methods = [method for method in titles if method in set(field["method"])]
    ears = field["specimen"].nunique()
    lost = int(field.loc[field["metric"] == "field_contacts_lost", "value"].sum())
    contacts = f"all contacts but {lost} lost ones" if lost else "all contacts"
    figure = new_figure(
        "Potential along the auditory nerve, against the micro-CT's class map",
        label,
        f"{ears} ears; boxes: quartiles over {contacts}; numbers: medians; marks: single ears"
        + ceiling_note(methods),
        len(methods) * ROW_IN + SCATTER_IN + 0.95,
    )
    heights = [len(methods) * ROW_IN + 0.4, SCATTER_IN]
    panels = figure.subplots(2, len(SHOWN), height_ratios=heights)
    for axes, (metric, title, factor) in zip(panels[0], SHOWN, strict=True):
        rows = field[(field["metric"] == metric) & (field["class"] != "")]
        _draw_boxes(axes, rows.assign(value=rows["value"] * factor), methods)
        axes.set_xlabel(title)
    write_titles(panels[0, 0], methods, titles)
    for axes in panels[0, 1:]:
        axes.set_yticks(range(len(methods)), [""] * len(methods))
    methods = without_ceilings(methods)
    pairs = error_with_dice(scores[scores["method"].isin(methods)])
    for axes, name, title in zip(panels[1], CLASSES, CLASS_TITLES, strict=True):
        _draw_scatter(axes, pairs[pairs["class"] == name], methods)
        axes.set_xlabel(f"Dice, {title}")
    panels[1, 0].set_ylabel("error of the potential (%)")
    return figure


def error_with_dice(scores: pd.DataFrame) -> pd.DataFrame:
    """Return each method's field error (of the array) beside its Dice, ear by ear and by class.

    Both are means over the seeds. Columns specimen, method, class, dice, field_error.
    """
    keys = ["specimen", "method"]
    scores = _mean_over_seeds(scores[scores["metric"].isin(["dice", "field_error"])])
    dice = scores[(scores["metric"] == "dice") & (scores["grid"] == "microct")]
    whole = scores[(scores["metric"] == "field_error") & (scores["class"] == "")]
    pairs = dice.merge(whole[[*keys, "value"]], on=keys, suffixes=("", "_field"))
    pairs = pairs.rename(columns={"value": "dice", "value_field": "field_error"})
    return pairs[[*keys, "class", "dice", "field_error"]].dropna()


def _mean_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    keys = ["specimen", "method", "grid", "class", "metric"]
    return scores.groupby(keys, sort=False)["value"].mean().reset_index()


def _draw_boxes(axes: Axes, rows: pd.DataFrame, methods: Sequence[str]) -> None:
    values = [rows[rows["method"] == m].dropna(subset=["value"]) for m in methods]
    ears = [table.groupby("specimen")["value"].median().sort_index() for table in values]
    numbers = [number(float(t["value"].median())) if len(t) else "none" for t in values]
    draw_boxes(axes, methods, [table["value"] for table in values], ears, numbers)
    axes.set_xlim(left=0)


def _draw_scatter(axes: Axes, pairs: pd.DataFrame, methods: Sequence[str]) -> None:
    colours, markers = method_colours(methods), method_markers(methods)
    for method in methods:
        rows = pairs[pairs["method"] == method]
        axes.plot(
            rows["dice"], 100 * rows["field_error"], markers[method], color=colours[method],
            markersize=4, markeredgecolor=INK, markeredgewidth=0.5,
        )  # fmt: skip
    axes.set_title(f"rank correlation {_correlation(pairs)}", fontsize=SMALL_PT, color=GREY)
    axes.set_ylim(bottom=0)
    pale_grid(axes)
    axes.xaxis.set_major_locator(few_ticks())


def _correlation(pairs: pd.DataFrame) -> str:
    """Spearman's rank correlation of Dice and error, in words; none of too few or equal values."""
    varied = pairs["dice"].nunique() > 1 and pairs["field_error"].nunique() > 1
    if len(pairs) < LEAST_PREDICTIONS or not varied:
        return "unknown"
    return f"{number(spearmanr(pairs['dice'], pairs['field_error']).statistic)}, n = {len(pairs)}"
