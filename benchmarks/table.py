"""Measures every piece of work beside its peers, in one run: `make bench`, or single rows by name.

    python benchmarks/bench.py table [ROW ...] [--list]

Each side runs in a process of its own, ours and its peers by turns, peers in `.venv-peers`. The
median of all repeats counts. Results go to `benchmarks/results.csv` and `docs/benchmarks.md`, where
rows that were not measured this time keep their last numbers.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import page
import pandas as pd
from catalogue import ROWS, Row
from page import RESULTS, ROOT

PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
# Columns without a number where there is no peer.
NUMBERS = ("peer_seconds", "ratio", "peer_peak_mb")
# Threads of the numerical libraries, where a row does not set its own.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ONE_THREAD = dict.fromkeys((*THREADS, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1")


@dataclass
class Measured:
    """What one side of a row took: median seconds, peak memory (MB), and its qualities."""

    seconds: float
    peak_mb: float
    quality: dict[str, float]


def run_side(python: Path, file: str, row: Row, folder: Path) -> dict:
    """Run one side in a process of its own; returns what `side.py` prints."""
    command = [
        str(python), str(ROOT / "benchmarks/side.py"), str(ROOT / "benchmarks/rows" / file),
        str(folder), json.dumps(row.settings), str(row.repeats),
    ]  # fmt: skip
    process = subprocess.run(
        command, cwd=ROOT, env=os.environ | ONE_THREAD | {"PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if process.returncode != 0:
        raise SystemExit(f"ERROR: {file} of row {row.name} failed:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def measure(row: Row) -> dict[str, Measured]:
    """Measure ours ('') and each peer, by turns so that a slow minute strikes all."""
    sides = {"": (Path(sys.executable), row.ours)}
    sides |= {
        peer: (PEERS_PYTHON if peer_file.startswith("peers/") else Path(sys.executable), peer_file)
        for peer, peer_file in row.peers.items()
    }
    found: dict[str, list[dict]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(row.rounds):
            for name, (python, file) in sides.items():
                found[name].append(run_side(python, file, row, Path(folder)))
    return {name: _median(runs) for name, runs in found.items()}


def _median(runs: list[dict]) -> Measured:
    return Measured(
        statistics.median(seconds for run in runs for seconds in run["seconds"]),
        max(run["peak_mb"] for run in runs),
        runs[-1]["quality"],
    )


def lines_of(row: Row, measured: dict[str, Measured]) -> list[dict]:
    """Return a line of the table for each peer, or one line where there is none."""
    ours = measured[""]
    lines = []
    for peer in row.peers or [""]:
        other = measured[peer] if peer else None
        lines.append({
            "row": row.name,
            "work": row.work + _in_words(ours.quality),
            "peer": peer + (_in_words(other.quality) if other else ""),
            "seconds": ours.seconds,
            "peer_seconds": other.seconds if other else None,
            "ratio": other.seconds / ours.seconds if other else None,
            "goal": row.goal,
            "met": row.met(ours, other),
            "peak_mb": ours.peak_mb,
            "peer_peak_mb": other.peak_mb if other else None,
        })  # fmt: skip
    return lines


def _in_words(quality: dict[str, float]) -> str:
    words = ", ".join(f"{name} {value:.4g}" for name, value in quality.items())
    return f" ({words})" if words else ""


def write(lines: list[dict]) -> None:
    """Put the lines into the table and its page; rows not measured now stay as they are."""
    new = pd.DataFrame(lines)
    new["measured"] = f"{date.today()}, {machine()}"
    if RESULTS.exists():
        old = pd.read_csv(RESULTS, keep_default_na=False, na_values=dict.fromkeys(NUMBERS, ""))
        new = pd.concat([old[~old["row"].isin(new["row"])], new])
    order = {row.name: place for place, row in enumerate(ROWS)}
    new = new.sort_values("row", key=lambda names: names.map(order), kind="stable")
    new.to_csv(RESULTS, index=False, float_format="%.4g")
    page.write()


def machine() -> str:
    """Return what this machine is, in words."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores, {capability}, {gpu}, Python {platform.python_version()}"


def main(words: list[str]) -> None:
    """Measure the rows that the command line names, or all."""
    parser = argparse.ArgumentParser("bench.py table", description=__doc__)
    parser.add_argument("rows", nargs="*", help="none: all but those measured by name alone")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    arguments = parser.parse_args(words)
    names = [row.name for row in ROWS]
    if arguments.list:
        print("\n".join(f"{row.name}: {row.work}; goal: {row.goal}" for row in ROWS))
        return
    unknown = set(arguments.rows) - set(names)
    if unknown:
        parser.error(f"no row named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    for row in ROWS:
        if row.name in arguments.rows or not (arguments.rows or row.by_name):
            print(f"{row.name}: {row.work}", flush=True)
            lines = lines_of(row, measure(row))
            write(lines)
            print(pd.DataFrame(lines).drop(columns=["row", "work"]).to_string(index=False))
