"""A training job from the start of its process to its first step, on the miniature study.

The job is a real one: Snakemake runs the study up to the training of one group, and keeps the
script that it wrote for that job, with the preamble that brings its inputs and settings. Counted is
that script, run again without any state, until the state after its first step is on the disk:
starting Python, Snakemake's preamble, all imports, hashing the inputs, building networks, the step
and saving it. CPU seconds of all its threads, as the system counts them (in hundredths).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from workflow_runs import MINIATURE, copy_workflow, user_environment

STARTS_PROCESSES = True

TRAINED = "results/miniature/training/A/single_task/seed-1/history.tsv"
SCRIPTS = ".snakemake/scripts"


def prepare(folder: Path, settings: dict) -> Path:
    """Compute what the training reads, train, and keep the training's script."""
    study = folder / "study"
    if not study.exists():
        copy_workflow(study)
        command = [
            sys.executable, "-m", "snakemake", TRAINED, "--cores", "2", "--skip-script-cleanup",
            "--configfile", MINIATURE,
        ]  # fmt: skip
        subprocess.run(command, cwd=study, env=user_environment(), check=True, capture_output=True)
    return study


def run(study: Path) -> dict:
    """Start the job, wait for the state of its first step, and end it."""
    (script,) = (study / SCRIPTS).glob("*.train.py")
    shutil.rmtree(study / ".state")
    command = [sys.executable, str(script.relative_to(study))]
    process = subprocess.Popen(
        command, cwd=study, env=user_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not any((study / ".state").glob("*/*/state-*")):
        if process.poll() is not None:
            raise RuntimeError("the training ended before its first step")
        time.sleep(0.005)
    seconds = cpu_seconds(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {"seconds": seconds}


def cpu_seconds(pid: int) -> float:
    """Return the user and system seconds of a process that runs."""
    # The name of the program may hold spaces, so fields are counted after its bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
