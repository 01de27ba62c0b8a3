"""What records and hashing add to a study's time, and how fast a study is verified.

    python benchmarks/bench.py records results/phantom

Recording is timed by every job itself (`recording_s` in its circumstances), whole jobs by
Snakemake's `benchmark:`. Verification is compared with `sha256sum` and `md5sum`, run over the same
files on as many cores: both have the same bytes to read and the same hashes to compute.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import pandas as pd

from otosynth.audit.verify import verify
from otosynth.provenance.places import CIRCUMSTANCES, Places
from otosynth.provenance.tree import read_records

MIB = 1024**2


def recording_cost(results: Path) -> pd.DataFrame:
    """Return the seconds of recording and of whole jobs, by rule."""
    rows = []
    for path in sorted((results / CIRCUMSTANCES).rglob("*.json")):
        job = path.relative_to(results / CIRCUMSTANCES).with_suffix("")
        benchmark = results / "benchmarks" / job.with_suffix(".tsv")
        facts = json.loads(path.read_text(encoding="utf-8"))
        seconds = pd.read_csv(benchmark, sep="\t")["s"].iloc[0]
        rows.append((job.parts[0], facts["recording_s"], seconds))
    table = pd.DataFrame(rows, columns=["rule", "recording_s", "job_s"])
    return table.groupby("rule").sum().sort_values("recording_s", ascending=False)


def peer_seconds(files: list[Path], cores: int) -> float:
    """Return the seconds that coreutils take for the same two hashes of the same files."""
    started = time.perf_counter()
    names = "\0".join(str(file) for file in files).encode()
    for tool in ("sha256sum", "md5sum"):
        command = ["xargs", "-0", "-P", str(cores), "-n", "16", tool]
        subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main(words: list[str]) -> None:
    """Measure and print both."""
    parser = argparse.ArgumentParser("bench.py records", description=__doc__)
    parser.add_argument("results", type=Path, help="a finished study, e.g. results/phantom")
    parser.add_argument("--data", type=Path, help="folder of raw scans, for a study of files")
    arguments = parser.parse_args(words)
    cost = recording_cost(arguments.results)
    total = cost.sum()
    print(cost.head(8).to_string(float_format="%.2f"))
    print(f"\nall jobs: recording {total['recording_s']:.1f} s of {total['job_s']:.0f} s, "
          f"{100 * total['recording_s'] / total['job_s']:.2f} %\n")  # fmt: skip

    places = Places(arguments.results, arguments.data)
    cores = os.cpu_count() or 1
    tree = read_records(places)
    names = {n for r in tree.records.values() for kind in ("inputs", "outputs") for n in r[kind]}
    files = [places.path_of(name) for name in sorted(names)]
    # Both read from memory: whoever comes first must not pay for the disk.
    peer_seconds(files, cores)
    rows = []
    for number in range(3):
        started = time.perf_counter()
        found = verify(places, None, cores)
        rows.append((number + 1, time.perf_counter() - started, peer_seconds(files, cores)))
    print(f"verify: {found.files} files, {found.bytes / MIB:.0f} MiB, {cores} threads, "
          f"{len(found.mismatches)} mismatches")  # fmt: skip
    table = pd.DataFrame(rows, columns=["run", "verify_s", "sha256sum_and_md5sum_s"])
    print(table.to_string(index=False, float_format="%.2f"))
