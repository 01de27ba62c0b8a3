"""Training steps on a CUDA GPU: beside the peers, as a share of the GPU's peak, and in memory.

    python benchmarks/bench.py gpu

Measures what `make bench` cannot where there is no GPU, and writes `benchmarks/gpu.csv`,
`docs/gpu.md` and `docs/figures/gpu.png`: every step of bench's catalogue in bfloat16, with its
patches read, beside the plain port and MONAI in float32 (their convolutions in TF32, torch's
default), all in one process; what patches of 192^3 take of memory; the steps' roofline, with
operations and bytes counted as in `growth.py`; and the hours of the thesis's 3.4 million steps.
Imports torch, MONAI, pydantic, nibabel, pandas, matplotlib and TensorBoard only. Two minutes on an
H200.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from plots import COLOURS, draw_roof, label_growth
from training import THESIS, seconds_of_step

from otosynth.figures.style import new_figure, pale_grid, write_figure
from otosynth.training.arithmetic import resolve_arithmetic

sys.path.insert(0, str(Path(__file__).parent / "rows"))
sys.path.insert(0, str(Path(__file__).parent / "rows/peers"))
import monai_step
import plain_step
from step_work import WEIGHTS, make_trainer, operations, traffic

ROOT = Path(__file__).resolve().parents[1]
TABLE, PAGE = ROOT / "benchmarks/gpu.csv", ROOT / "docs/gpu.md"
FIGURE = ROOT / "docs/figures/gpu.png"
# Of each width.
LINES = {16: "o--", 64: "s-"}
STEPS, PEER_STEPS = 30, 5
WIDTHS, EDGES, LARGE = (16, 64), (32, 64, 96), 192
MB = 2**20
PEERS = {
    "port, one loss after another": lambda settings: plain_step.PlainLoop(settings, shares=False),
    "port, one pass of G": lambda settings: plain_step.PlainLoop(settings, shares=True),
    "MONAI": monai_step.PlainLoop,
}


def main(words: list[str]) -> None:
    """Measure and write table and page."""
    argparse.ArgumentParser("bench.py gpu", description=__doc__).parse_args(words)
    limits = measure_limits()
    steps = pd.DataFrame(measure_steps(limits))
    large = pd.DataFrame(measure_large())
    pd.concat([steps, large]).to_csv(TABLE, index=False, float_format="%.4g")
    draw(limits, steps)
    page = write_page(limits, steps, large)
    PAGE.write_text(page, encoding="utf-8")
    print(page)


def measure_limits() -> dict[str, float]:
    """Return what the GPU does at most: products of matrices in bfloat16, and copies."""
    first, second = torch.randn(2, 8192, 8192, device="cuda", dtype=torch.bfloat16)
    source = torch.randn(2**29, device="cuda")
    target = torch.empty_like(source)
    return {
        "Tflop/s": 2 * 8192**3 / seconds_of(lambda: first @ second, 10) / 1e12,
        "TB/s": 8 * 2**29 / seconds_of(lambda: target.copy_(source), 10) / 1e12,
    }


def measure_steps(limits: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Measure steps of every method, width and edge beside their peers."""
    for method in WEIGHTS:
        for width in WIDTHS:
            for edge in EDGES:
                settings = {"method": method, "width": width, "size": edge, "device": "cuda"}
                row = measure_ours(settings)
                share = row["Gflop"] / row["seconds"] / 1000 / limits["Tflop/s"]
                row["share of peak"] = share
                torch.set_deterministic_debug_mode("default")
                for name, make_loop in PEERS.items():
                    torch.cuda.empty_cache()
                    row[f"{name} s"] = seconds_of(make_loop(settings).step, PEER_STEPS)
                print(row, flush=True)
                yield row


def measure_large() -> Iterator[dict[str, Any]]:
    """Measure patches that one hardly fits: activations kept, and computed again."""
    for recompute in (False, True):
        settings = {"method": "multi_task", "width": 64, "size": LARGE}
        yield measure_ours(settings, recompute) | {"recompute": recompute}


def measure_ours(settings: dict[str, Any], recompute: bool = False) -> dict[str, Any]:
    """Measure our step, alone and with its patches read, and the memory of the GPU."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    arithmetic = resolve_arithmetic("cuda", "auto", 1)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(settings, arithmetic, Path(folder), recompute)
        seconds = seconds_of_step(trainer, STEPS)
        peak_mb = torch.cuda.max_memory_reserved() / MB
        # At last, since plain convolutions take more memory.
        batch, do_step = trainer.reader.read(0), trainer.step_of(0)
        alone = seconds_of(lambda: trainer.team.average(do_step(batch)), STEPS)
        gbyte = traffic(lambda: trainer._step(batch, 0))
        gflop = operations(lambda: trainer._step(batch, 0))
    names = ("method", "width", "size")
    return {name: settings[name] for name in names} | {
        "precision": arithmetic.precision, "seconds": seconds, "fed": alone / seconds,
        "Gflop": gflop, "GB": gbyte, "peak MB": peak_mb,
    }  # fmt: skip


def seconds_of(work: Callable[[], object], times: int) -> float:
    """Return the seconds of once, the mean of some times after two that do not count."""
    for _ in range(2):
        work()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(times):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def draw(limits: dict[str, float], steps: pd.DataFrame) -> None:
    """Draw time and memory against the edge of the patch, and the roofline."""
    label = f"random patches, {torch.cuda.get_device_name()}, bfloat16"
    figure = new_figure("Training steps on a GPU", label, "", 2.6)
    panels = figure.subplots(1, 3)
    _growth(panels[0], steps, "seconds", 1e3, "ms / step")
    _growth(panels[1], steps, "peak MB", 1, "peak (MB)")
    _roofline(panels[2], steps, limits)
    for axes in panels:
        pale_grid(axes)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    write_figure(figure, [str(FIGURE)], 150, "")


def _groups(steps: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    for (method, width), points in steps.groupby(["method", "width"], sort=False):
        yield method, width, points


def _growth(axes: Axes, steps: pd.DataFrame, key: str, unit: float, title: str) -> None:
    for method, width, points in _groups(steps):
        axes.plot(
            points["size"], unit * points[key], LINES[width], color=COLOURS[method], markersize=4,
            label=f"{method.replace('_', ' ')}, width {width}",
        )  # fmt: skip
    label_growth(axes, EDGES, "edge of the patch (voxels)", title)


def _roofline(axes: Axes, steps: pd.DataFrame, limits: dict[str, float]) -> None:
    draw_roof(axes, (5, 1000), limits["Tflop/s"], limits["TB/s"])
    for method, width, points in _groups(steps):
        axes.loglog(
            points["Gflop"] / points["GB"], points["Gflop"] / points["seconds"] / 1e3,
            LINES[width][0], color=COLOURS[method], markersize=4,
        )  # fmt: skip
    axes.set(ylabel="Tflop / s", title="roofline")


def write_page(limits: dict[str, float], steps: pd.DataFrame, large: pd.DataFrame) -> str:
    """Return the page of documentation."""
    card = torch.cuda.get_device_name()
    lines = [
        "<!-- Written by python benchmarks/bench.py gpu -->",
        "# Training steps on a GPU",
        "",
        f"One {card}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}; random patches. Ours",
        "in bfloat16 with patches read, deterministic; peers in float32 (TF32), as torch has it,",
        "the patch on the GPU. "
        f"The GPU multiplies matrices at {limits['Tflop/s']:.0f} Tflop/s (8192^2, bfloat16)",
        f"and copies {limits['TB/s']:.1f} TB/s, measured in the same run. *Fed* is the time of the",
        "step alone over that with reading (goal 0.97). *Peak* is what torch takes of the GPU's",
        "memory. The goal against each peer is 3 times.",
        "",
        "| step | patch | ms | Tflop/s | share of peak | fed | peak MB |",
        "| --- " * 7 + "|",
    ]
    lines += [
        f"| {_step(row)} | {1e3 * row['seconds']:.1f} | {row['Gflop'] / row['seconds'] / 1e3:.1f} |"
        f" {100 * row['share of peak']:.1f} % | {row['fed']:.3f} | {row['peak MB']:.0f} |"
        for row in steps.to_dict("records")
    ]
    lines += ["", "How many times as fast as each peer:", ""]
    lines += [f"| step | patch | {' | '.join(PEERS)} |", "| --- " * (2 + len(PEERS)) + "|"]
    for row in steps.to_dict("records"):
        times = [f"{row[f'{name} s'] / row['seconds']:.1f}" for name in PEERS]
        lines.append(f"| {_step(row)} | {' | '.join(times)} |")
    lines += [
        "",
        "![Time and memory of a step against the patch's edge, and its roofline](figures/gpu.png)",
        "",
        "*Operations are those of plain convolutions; bytes the inputs and outputs of every",
        "operation as it is computed, as if nothing stayed in a cache (`rows/step_work.py`).*",
        "",
        "## The thesis's trainings", "", *hours_of_thesis(steps), "",
    ]  # fmt: skip
    lines += [f"## Patches of {LARGE}^3 at width 64, multi_task", ""]
    lines += ["| activations | ms a step | peak MB |", "| --- | --- | --- |"]
    for row in large.to_dict("records"):
        kept = "computed again" if row["recompute"] else "kept"
        lines.append(f"| {kept} | {1e3 * row['seconds']:.0f} | {row['peak MB']:.0f} |")
    return "\n".join(lines) + "\n"


def _step(row: dict[str, Any]) -> str:
    return f"{row['method'].replace('_', ' ')}, width {row['width']} | {row['size']}^3"


def hours_of_thesis(steps: pd.DataFrame) -> list[str]:
    """Return the arithmetic from seconds a step to hours, at width 64 and 96^3."""
    lines, hours_in_all, steps_in_all = [], 0.0, 0
    for method, (models, patches, epochs) in THESIS.items():
        row = steps.query(f"method == '{method}' and width == 64 and size == 96").iloc[0]
        count = models * patches * epochs
        hours = count * row["seconds"] / 3600
        hours_in_all, steps_in_all = hours_in_all + hours, steps_in_all + count
        lines.append(
            f"- {method}: {models} models x {patches} patches x {epochs} epochs = {count} steps,"
            f" x {1e3 * row['seconds']:.1f} ms = **{hours:.1f} h**"
        )
    lines.append(f"- together {steps_in_all} steps in **{hours_in_all:.1f} h** (goal 24 h);")
    lines.append("  extrapolated: validation, checkpoints and the monitor's images come on top.")
    return lines
