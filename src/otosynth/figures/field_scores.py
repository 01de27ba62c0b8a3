"""Figure 11: how far the electric field is off by every method's class map."""

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
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
from otosynth.metric_registry import Place, metrics_in
from otosynth.rows import without_ceilings
from otosynth.tissues import CLASSES

ROW_IN, SCATTER_IN = 0.36, 1.9
SHOWN = metrics_in(Place.FIGURE_11)
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
    panels = figure.subplots(2, len(SHOWN), sharey="row", height_ratios=heights)
    for axes, metric in zip(panels[0], SHOWN, strict=True):
        rows = field[(field["metric"] == metric.name) & (field["class"] != "")]
        factor = 100 if metric.percent else 1
        _draw_boxes(axes, rows.assign(value=rows["value"] * factor), methods)
        axes.set_xlabel(f"{metric.title} (%)" if metric.percent else metric.heading)
    write_titles(panels[0, 0], methods, titles)
    methods = without_ceilings(methods)
    pairs = error_with_dice(scores[scores["method"].isin(methods)])
    for axes, name, title in zip(panels[1], CLASSES, CLASS_TITLES, strict=True):
        _draw_scatter(axes, pairs[pairs["class"] == name], methods)
        axes.set_xlabel(f"Dice, {title}")
    panels[1, 0].set_ylabel("error of the electric field (%)")
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
    rows = rows.dropna(subset=["value"])
    ears = rows.groupby(["method", "specimen"])["value"].median().reset_index()
    medians = rows.groupby("method")["value"].median().map(number)
    numbers = dict.fromkeys(methods, "none") | medians.to_dict()
    draw_boxes(axes, rows, ears, method_colours(methods), numbers)
    axes.set_xlim(left=0)


def _draw_scatter(axes: Axes, pairs: pd.DataFrame, methods: Sequence[str]) -> None:
    sns.scatterplot(
        pairs.assign(error=100 * pairs["field_error"]), x="dice", y="error",
        hue="method", hue_order=methods, palette=method_colours(methods),
        style="method", style_order=methods, markers=method_markers(methods),
        s=16, edgecolor=INK, linewidth=0.5, legend=False, ax=axes,
    )  # fmt: skip
    axes.set_ylabel("")
    axes.set_title(f"Spearman {_correlation(pairs)}", fontsize=SMALL_PT, color=GREY)
    axes.set_ylim(bottom=0)
    pale_grid(axes)
    axes.xaxis.set_major_locator(few_ticks())


def _correlation(pairs: pd.DataFrame) -> str:
    """Spearman's rank correlation of Dice and error, in words; none of too few or equal values."""
    varied = pairs["dice"].nunique() > 1 and pairs["field_error"].nunique() > 1
    if len(pairs) < LEAST_PREDICTIONS or not varied:
        return "unknown"
    rho = spearmanr(pairs["dice"], pairs["field_error"]).statistic
    return f"{number(round(rho, 2))}, n = {len(pairs)}"
