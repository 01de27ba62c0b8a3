"""Cost as the work grows: `docs/figures/growth.png` and `benchmarks/growth.csv`.

    python benchmarks/bench.py growth

Time and peak memory of a training step against patch edge, width and threads, of planning the study
against the number of specimens, and the step's roofline: what it computes and moves, counted
(`rows/step_work.py`), against what matrix products and array sums reach on this machine in the
same run. Each point is a process of its own; 3.5 minutes on two cores.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from catalogue import Row
from matplotlib.axes import Axes
from plots import COLOURS, draw_roof, label_growth
from table import ROOT, machine, run_side

from otosynth.figures.style import INK, new_figure, pale_grid, write_figure

TABLE, FIGURE = ROOT / "benchmarks/growth.csv", ROOT / "docs/figures/growth.png"
EDGES, WIDTHS, SPECIMENS = (16, 32, 48, 64, 96), (8, 16, 32, 64), (6, 20, 40, 60)
STEP = {"width": 16, "size": 32, "threads": 1}


def main(words: list[str]) -> None:
    """Measure and draw."""
    argparse.ArgumentParser("bench.py growth", description=__doc__).parse_args(words)
    table = pd.DataFrame(measure())
    table["measured"] = machine()
    table.to_csv(TABLE, index=False, float_format="%.4g")
    draw(table)


def measure() -> Iterator[dict[str, Any]]:
    """Measure every point."""
    threads = range(1, (os.cpu_count() or 1) + 1)
    for count in threads:
        yield from point("limits", "machine_limits.py", {"threads": count})
    for method in COLOURS:
        steps = [STEP | {"size": edge} for edge in EDGES]
        steps += [STEP | {"width": width} for width in WIDTHS if width != STEP["width"]]
        steps += [STEP | {"threads": count} for count in threads if count > 1]
        for settings in steps:
            yield from point("step", "step_growth.py", {"method": method, "steps": 1} | settings)
    for count in SPECIMENS:
        yield from point("plan", "dag_ours.py", {"specimens": count})


def point(work: str, file: str, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Measure one point in a process of its own."""
    row = Row(work, "", file, {}, "", lambda *_: True, settings, repeats=3)
    with tempfile.TemporaryDirectory() as folder:
        found = run_side(Path(sys.executable), file, row, Path(folder))
    result = {"work": work} | settings | found["quality"]
    result |= {"seconds": min(found["seconds"]), "peak_mb": found["peak_mb"]}
    print(result, flush=True)
    yield result


def draw(table: pd.DataFrame) -> None:
    """Draw the table's points."""
    figure = new_figure(
        "Cost as the work grows", f"random patches, {machine()}", "best of three runs", 7.5
    )
    panels = figure.subplots(3, 2)
    steps, plans = table[table["work"] == "step"], table[table["work"] == "plan"]
    by_edge = steps.query("width == 16 and threads == 1")
    by_width = steps.query("size == 32 and threads == 1")
    _growth(panels[0, 0], by_edge, "size", "seconds", "edge of the patch (voxels)", "s / step")
    _growth(panels[0, 1], by_edge, "size", "peak_mb", "edge of the patch (voxels)", "peak (MB)")
    _growth(panels[1, 0], by_width, "width", "seconds", "width (channels)", "s / step")
    _roofline(panels[1, 1], steps, table[table["work"] == "limits"])
    _threads(panels[2, 0], steps.query("size == 32 and width == 16"))
    axes = panels[2, 1]
    axes.plot(plans["specimens"], plans["seconds"], "o-", color=INK, markersize=4)
    axes.set(xlabel="specimens", ylabel="CPU s to plan", ylim=(0, None))
    for axes in panels.flat:
        pale_grid(axes)
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    FIGURE.parent.mkdir(exist_ok=True)
    write_figure(figure, [str(FIGURE)], 150, "")


def _growth(axes: Axes, steps: pd.DataFrame, x: str, y: str, x_title: str, y_title: str) -> None:
    for method, points in steps.sort_values(x).groupby("method", sort=False):
        label = method.replace("_", " ")
        axes.plot(points[x], points[y], "o-", color=COLOURS[method], markersize=4, label=label)
    label_growth(axes, sorted(steps[x].unique()), x_title, y_title)


def _threads(axes: Axes, steps: pd.DataFrame) -> None:
    for method, points in steps.sort_values("threads").groupby("method", sort=False):
        axes.plot(points["threads"], points["seconds"], "o-", color=COLOURS[method], markersize=4)
    axes.set_xticks(sorted(steps["threads"].unique()))
    axes.set(xlabel="threads", ylabel="s / step", ylim=(0, None))


def _roofline(axes: Axes, steps: pd.DataFrame, limits: pd.DataFrame) -> None:
    """Draw what one thread reaches, below what it could."""
    one = limits.query("threads == 1").iloc[0]
    draw_roof(axes, (0.5, 200), one["Gflop/s"], one["GB/s"])
    for method, points in steps.query("threads == 1").groupby("method", sort=False):
        axes.loglog(
            points["Gflop"] / points["GB"], points["Gflop"] / points["seconds"], "o",
            color=COLOURS[method], markersize=4,
        )  # fmt: skip
    # Operations of plain convolutions: some are computed by fewer (docs/profile.md).
    axes.set(ylabel="Gflop / s", title="roofline, one thread")
