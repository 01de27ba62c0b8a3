"""What the rows of whole workflow runs share: a copy of the workflow, and what a command took."""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/workflow"))
# Of the tests: they know which parts a copy of the workflow needs, and what the miniature is.
from workflow_copy import MINIATURE, copy_workflow  # noqa: E402

__all__ = ["MINIATURE", "copy_workflow", "timed"]


def user_environment() -> dict[str, str]:
    """Return the environment without what keeps Python from keeping its bytecode.

    Few users set it, and with it each of a study's jobs compiles the library anew.
    """
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def timed(command: list[str], folder: Path) -> dict[str, float]:
    """Run a command to its end; returns the CPU and the elapsed seconds that it took.

    CPU seconds are user and system time of the command and all processes that it waited for: a
    busy machine does not change them.

    Raises
    ------
    RuntimeError
        Holds the end of what a command that failed printed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.run(
        command, cwd=folder, env=user_environment(), capture_output=True, text=True, check=False
    )
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise RuntimeError((process.stdout + process.stderr)[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "elapsed": elapsed}


def run_miniature(study: Path, cores: int, precision: str) -> dict[str, float]:
    """Run the whole miniature study afresh; its CPU seconds are told as a quality.

    Parameters
    ----------
    study
        A copy of the workflow; results and states that it has are deleted first.
    cores
        Jobs at a time; every training has one thread, as configured.
    precision
        ``training.precision``.
    """
    for name in ("results", ".state", ".snakemake"):
        shutil.rmtree(study / name, ignore_errors=True)
    command = [
        sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", MINIATURE,
        "--config", f'training={{"precision": "{precision}"}}',
    ]  # fmt: skip
    taken = timed(command, study)
    return {"seconds": taken["elapsed"], "cpu": taken["cpu"]}
