"""Where the time goes: of a training step by operation, and of a finished study by rule.

    python benchmarks/bench.py where-time-goes step --method multi_task --width 16 --size 32
    python benchmarks/bench.py where-time-goes study results/phantom

A step is profiled by torch (one thread, random patches); an operation's time is its own, without
what it calls. A study's seconds are those that Snakemake noted of every job.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import pandas as pd
import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

ROWS = Path(__file__).parent / "rows"
STEPS = 5
# What an operation's name begins with, and what it does there; the first that fits counts.
KINDS = {
    "aten::mkldnn_convolution": "convolution, forward",
    "aten::slow_conv": "convolution, forward",
    "aten::convolution_backward": "convolution, backward",
    "aten::_fused_adam": "Adam",
    "aten::native_group_norm": "norm",
    "aten::native_batch_norm": "norm",
    "aten::_batch_norm": "norm",
    "aten::copy_": "copies (padding, other layouts)",
    "aten::cat": "copies (padding, other layouts)",
    "aten::constant_pad": "copies (padding, other layouts)",
    "aten::fill_": "copies (padding, other layouts)",
    "aten::zero_": "copies (padding, other layouts)",
    "aten::to_mkldnn": "copies (padding, other layouts)",
    "aten::to_dense": "copies (padding, other layouts)",
    "aten::add": "sums",
    "aten::sum": "sums",
    "aten::threshold_backward": "ReLU and dropout",
    "aten::clamp_min": "ReLU and dropout",
    "aten::leaky_relu": "ReLU and dropout",
    "aten::uniform": "ReLU and dropout",
    "aten::ge": "ReLU and dropout",
}


def of_step(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return the time of a step's operations by kind (ms and share of all)."""
    sys.path.insert(0, str(ROWS))
    import step_ours

    settings = vars(arguments) | {"steps": 1, "threads": 1}
    with tempfile.TemporaryDirectory() as folder:
        prepared = step_ours.prepare(Path(folder), settings)
        step_ours.run(prepared)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for _ in range(STEPS):
                step_ours.run(prepared)
    rows = [(_kind(event), event.self_cpu_time_total / 1000 / STEPS) for event in profiled.events()]
    return _shares(pd.DataFrame(rows, columns=["operation", "ms"]), "operation")


def _kind(event: FunctionEvent) -> str:
    outer = event
    while outer is not None:
        if outer.name.startswith("FourierConvolution"):
            return "last layer, by Fourier transforms"
        outer = outer.cpu_parent
    return next((kind for name, kind in KINDS.items() if event.name.startswith(name)), "others")


def of_study(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return the seconds of a study's jobs by rule, with their number and share of all."""
    folder = arguments.results / "benchmarks"
    # A rule that runs once has a file, the others a folder.
    rows = [
        (file.relative_to(folder).parts[0].removesuffix(".tsv"), _seconds(file), 1)
        for file in sorted(folder.rglob("*.tsv"))
    ]
    return _shares(pd.DataFrame(rows, columns=["rule", "s", "jobs"]), "rule")


def _seconds(file: Path) -> float:
    return float(pd.read_csv(file, sep="\t")["s"].iloc[0])


def _shares(table: pd.DataFrame, by: str) -> pd.DataFrame:
    time = "ms" if "ms" in table else "s"
    sums = table.groupby(by).sum().sort_values(time, ascending=False)
    sums["%"] = 100 * sums[time] / sums[time].sum()
    return sums.reset_index()


def main(words: list[str]) -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser("bench.py where-time-goes", description=__doc__)
    kinds = parser.add_subparsers(required=True)
    step = kinds.add_parser("step")
    step.add_argument("--method", choices=["single_task", "multi_task"], default="multi_task")
    step.add_argument("--width", type=int, default=16)
    step.add_argument("--size", type=int, default=32)
    step.set_defaults(measure=of_step)
    study = kinds.add_parser("study")
    study.add_argument("results", type=Path)
    study.set_defaults(measure=of_study)
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    print(arguments.measure(arguments).to_string(index=False, float_format="%.1f"))
