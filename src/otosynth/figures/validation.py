"""Figure 6: the validation score of every saved epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from otosynth.figures.style import GREY, INK, METHOD_COLOURS, new_figure
from otosynth.methods.base import Method

COLUMNS_AT_MOST = 3
ROW_IN = 1.55
LOSS_TITLES = {
    "weighted_l1": "weighted L1",
    "perception": "perception",
    "dice": "Dice loss",
    "cross_entropy": "cross-entropy",
}
PART_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


@dataclass(frozen=True)
class Curve:
    """The validation of one training.

    Attributes
    ----------
    group
        The group that was trained.
    validation
        The table of ``selection.validation_table``: epoch, losses, score.
    parts
        What each loss adds to the score, by loss.
    selected
        The selected epoch.
    """

    group: str
    validation: pd.DataFrame
    parts: Mapping[str, pd.Series]
    selected: int

    def at_selected(self, column: str) -> float:
        """Return a column's value at the selected epoch."""
        return float(self.validation.set_index("epoch")[column].loc[self.selected])


def score_parts(method: Method, validation: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what each loss adds to a method's validation score; losses that add nothing are out.

    A score is a weighted sum of losses, so the part of one is the score with all others at 0.
    """
    losses = [name for name in validation.columns if name not in ("epoch", "score")]
    parts = {
        name: validation[name].map(
            lambda value, name=name: method.validation_score(
                dict.fromkeys(losses, 0.0) | {name: value}
            )
        )
        for name in losses
    }
    return {name: part for name, part in parts.items() if (part != 0).any()}


def draw_validation(curves: Mapping[str, Sequence[Curve]], label: str) -> Figure:
    """Draw validation curves with the selected epochs marked (thesis, Fig. 6).

    Parameters
    ----------
    curves
        Method title to its curves, one a group; the first group's score is also drawn in parts.
    label
        What the data are.
    """
    titles = list(curves)
    blocks = [titles[k : k + COLUMNS_AT_MOST] for k in range(0, len(titles), COLUMNS_AT_MOST)]
    columns = len(blocks[0])
    figure = new_figure(
        "Validation curves; the lowest score selects the epoch",
        label,
        "dots: selected epochs",
        3 * ROW_IN * len(blocks) + 0.35,
    )
    panels = figure.subplots(3 * len(blocks), columns, squeeze=False)
    for number, block in enumerate(blocks):
        rows = panels[3 * number : 3 * number + 3]
        for column in range(columns):
            if column < len(block):
                _draw_method(rows[:, column], block[column], curves[block[column]])
            else:
                for axes in rows[:, column]:
                    axes.set_visible(False)
        rows[0, 0].set_ylabel("score and its parts")
        rows[1, 0].set_ylabel("score")
        rows[2, 0].set_ylabel("plain L1")
        for axes in rows[2]:
            axes.set_xlabel("epoch")
    figure.align_ylabels(panels[:, 0])
    handles, names = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 6))
    return figure


def _draw_method(rows: np.ndarray, title: str, curves: Sequence[Curve]) -> None:
    first = curves[0]
    _draw_parts(rows[0], first)
    rows[0].set_title(f"{title}, group {first.group}")
    for axes, column in ((rows[1], "score"), (rows[2], "l1")):
        if column not in first.validation:
            axes.text(
                0.5, 0.5, "gives no\nmicro-CT", ha="center", va="center", color=GREY,
                transform=axes.transAxes,
            )  # fmt: skip
            continue
        for number, curve in enumerate(curves):
            _draw_curve(axes, curve, column, METHOD_COLOURS[number % len(METHOD_COLOURS)])
        axes.set_ylim(bottom=0)
    for axes in rows:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    rows[1].set_title(f"{title}, all groups" if len(curves) > 1 else title)


def _draw_parts(axes: Axes, curve: Curve) -> None:
    epochs = curve.validation["epoch"]
    axes.plot(epochs, curve.validation["score"], color=INK, label="score")
    for colour, (name, part) in zip(PART_COLOURS, curve.parts.items(), strict=False):
        axes.plot(epochs, part, color=colour, linestyle="--", label=LOSS_TITLES.get(name, name))
    axes.plot(curve.selected, curve.at_selected("score"), "o", color=INK, markersize=4)
    axes.axvline(curve.selected, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
    # Room above the curves, which fall, for the names of the parts.
    axes.set_ylim(0, 1.6 * axes.get_ylim()[1])
    axes.legend(loc="upper center", handlelength=1.6)


def _draw_curve(axes: Axes, curve: Curve, column: str, colour: str) -> None:
    table = curve.validation
    axes.plot(table["epoch"], table[column], color=colour, label=f"group {curve.group}")
    axes.plot(curve.selected, curve.at_selected(column), "o", color=colour, markersize=4)
