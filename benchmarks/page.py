"""Writes `docs/benchmarks.md` from `benchmarks/results.csv`: a short table for each stage."""

import argparse
import re
from pathlib import Path

import pandas as pd
from catalogue import ROWS

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "benchmarks/results.csv", ROOT / "docs/benchmarks.md"
# A quality that a stage's table shows; the others show the peak of the memory.
QUALITIES = {
    "reading of patches": "share",
    "whole-volume inference": "memory MB",
    "class map": "volumes",
    "registration": "TRE mm",
    "atlas vote": "Dice",
}
INTRODUCTION = """# Benchmarks

Written from `benchmarks/results.csv` by `make bench`, which measures every row beside its peers in
one run. `make bench ROWS="..."` measures single rows, `python benchmarks/bench.py table --list`
names all, and `python benchmarks/bench.py page` writes this page again.

Pairs of numbers are ours / the peer's. *s* is the median of seconds. *Times as fast* is the peer's
seconds over ours. *Peak MB* is the peak of the whole process (2^20 bytes). Operations, sizes of
networks, differences between results and all other numbers are in `benchmarks/results.csv`.
"""


def page(table: pd.DataFrame) -> str:
    """Return the page of the docs, from the table of results (all columns as text)."""
    known = {row.name: row for row in ROWS}
    table = table.assign(
        stage=[known[name].stage for name in table["row"]],
        case=[known[name].case for name in table["row"]],
        # Without the qualities that follow a peer's name.
        peer_name=[
            next((peer for peer in known[name].peers if words.startswith(peer)), "")
            for name, words in zip(table["row"], table["peer"], strict=True)
        ],
    )
    sections = [stage_section(stage, lines) for stage, lines in table.groupby("stage", sort=False)]
    unmeasured = [row.name for row in ROWS if row.name not in set(table["row"])]
    if unmeasured:
        sections.append("\n".join(["## Not measured", "", *(f"- {name}" for name in unmeasured)]))
    return "\n\n".join([INTRODUCTION.rstrip(), *sections]) + "\n"


def stage_section(stage: str, lines: pd.DataFrame) -> str:
    """Return the heading, the goal, the table and the circumstances of a stage."""
    quality = QUALITIES.get(stage)
    header = ["case", "peer", "s", "times as fast", quality or "peak MB"]
    rows = [header, ["---"] * len(header)]
    for line in lines.to_dict("records"):
        pairs = [(line["seconds"], line["peer_seconds"])]
        pairs.append(
            (_quality(quality, line["work"]), _quality(quality, line["peer"]))
            if quality
            else (line["peak_mb"], line["peer_peak_mb"])
        )
        seconds, last = (" / ".join(_short(value) for value in pair if value) for pair in pairs)
        missed = "" if line["met"] == "True" else "goal missed"
        times = ", ".join(word for word in (_short(line["ratio"]), missed) if word)
        rows.append([line["case"], line["peer_name"], seconds, times, last])
    return "\n".join([
        f"## {stage[0].upper()}{stage[1:]}", "",
        *_of_cases("Goal", "goal", lines), "",
        *("| " + " | ".join(row) + " |" for row in rows), "",
        *_of_cases("Measured", "measured", lines),
    ])  # fmt: skip


def _of_cases(title: str, column: str, lines: pd.DataFrame) -> list[str]:
    """Return what all cases of a stage have in common, or what each has."""
    values = lines.drop_duplicates("case").set_index("case")[column]
    if values.nunique() == 1:
        return [f"{title}: {values.iloc[0]}."]
    return [f"{title}:", "", *(f"- {case}: {value}" for case, value in values.items())]


def _quality(name: str, words: str) -> str:
    found = re.search(rf"{name} ([\d.e+-]*\d)", words)
    return found.group(1) if found else ""


def _short(number: str) -> str:
    """Return a number of the table of results without an exponent: 11350, not 1.135e+04."""
    return f"{float(number):g}" if number else ""


def write() -> None:
    """Write the page."""
    table = pd.read_csv(RESULTS, dtype=str, keep_default_na=False)
    PAGE.write_text(page(table), encoding="utf-8")


def main(words: list[str]) -> None:
    """Write the page again from the table of results; nothing is measured."""
    argparse.ArgumentParser("bench.py page", description=__doc__).parse_args(words)
    write()
