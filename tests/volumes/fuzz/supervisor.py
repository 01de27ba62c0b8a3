"""Runs cases in a process that may die or hang, and says at which case it did."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=FOLDER, env=environment)
    assert process.stdout is not None
    begun, altered, buffered = first, "", b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        if not ready:
            process.kill()
            process.wait()
            yield Case(name, begun, altered, "died", "hangs", f"no answer in {SECONDS} s")
            return
        read = os.read(process.stdout.fileno(), 1 << 16)
        if not read:
            break
        *lines, buffered = (buffered + read).split(b"\n")
        for row in map(json.loads, lines):
            if "begins" in row:
                begun, altered = row["begins"], row["altered"]
            else:
                begun = row["case"] + 1
                yield Case(format=name, **row)
    if process.wait() or begun < end:
        yield Case(name, begun, altered, "died", "process died", f"exit status {process.returncode}")


def main() -> None:
    """Write the findings of some cases of a format: FORMAT FIRST END."""
    for case in run_cases(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(vars(case)), flush=True)


if __name__ == "__main__":
    main()
