"""Runs cases in a process that may die or hang, and says at which case it did."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent
# A case takes some hundredths of a second; a machine may be slow.
SECONDS = 20


@dataclass(frozen=True)
class Case:
    """One line of a report: what was altered, and the verdict (`fuzz.judge.Verdict`)."""

    format: str
    case: int
    altered: str
    outcome: str
    finding: str
    detail: str

    def __str__(self) -> str:
        return f"{self.format} {self.case}, {self.altered}: {self.finding}: {self.detail}"


def run_cases(name: str, first: int, end: int) -> Iterator[Case]:
    """Yield the cases of a format; one that ends its process is ``died``, or ``hangs``."""
    while first < end:
        for case in _of_one_process(name, first, end):
            yield case
            first = case.case + 1


def _of_one_process(name: str, first: int, end: int) -> Iterator[Case]:
    environment = os.environ | {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    command = [sys.executable, "-m", "fuzz", name, "--first", str(first), "--end", str(end)]
    begun, altered = first, ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=FOLDER, env=environment) as process:
        for row in _rows(process):
            if row is None:
                process.kill()
                yield Case(name, begun, altered, "died", "hangs", f"no answer in {SECONDS} s")
                return
            if "begins" in row:
                begun, altered = row["begins"], row["altered"]
            else:
                begun = row["case"] + 1
                yield Case(format=name, **row)
    if process.returncode or begun < end:
        said = f"exit status {process.returncode}"
        yield Case(name, begun, altered, "died", "process died", said)


def _rows(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any] | None]:
    """Yield the lines that a process writes; None where it is silent for too long."""
    assert process.stdout is not None
    buffered = b""
    while True:
        if not select.select([process.stdout], [], [], SECONDS)[0]:
            yield None
        read = os.read(process.stdout.fileno(), 1 << 16)
        if not read:
            return
        *lines, buffered = (buffered + read).split(b"\n")
        yield from map(json.loads, lines)


def main() -> None:
    """Write the findings of some cases of a format: FORMAT FIRST END."""
    for case in run_cases(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(vars(case)), flush=True)


if __name__ == "__main__":
    main()
