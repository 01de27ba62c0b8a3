"""What befalls jobs on a cluster: one is cancelled, one hangs until its time limit."""

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from workflow_copy import ENVIRONMENT, Workflow

# Against a study that hangs; a slow machine needs nine minutes.
LONGEST_RUN_S = 1500


class Mishaps:
    """Runs a study through Slurm; cancels one training and lets another hang.

    Attributes
    ----------
    attempts
        Slurm job numbers of each training (``<method>, group <group>, seed <seed>``), in order.
    side_by_side
        Values of CUDA_VISIBLE_DEVICES of trainings that were seen running at the same time.
    output
        What Snakemake said.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.attempts: dict[str, list[str]] = {}
        self.side_by_side: set[tuple[str, ...]] = set()
        self.cancelled = self.hung = ""
        self.returncode: int | None = None
        self.scancel: subprocess.Popen[bytes] | None = None
        self.output = ""

    def command(self, *arguments: str) -> list[str]:
        """Return the README's command for a cluster."""
        overlay = ["--configfile", self.workflow.overlay]
        return [sys.executable, "-m", "snakemake", "--profile", "slurm", *arguments, *overlay]

    def run(self) -> None:
        """Run the study to its end."""
        log = self.workflow.folder / "snakemake.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                self.command(), cwd=self.workflow.folder, env=ENVIRONMENT,
                stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + LONGEST_RUN_S
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
            self.look()
            time.sleep(0.1)
        self.returncode = process.returncode
        assert self.hung, "the training of group B ended before it was stopped"
        assert self.scancel, "the training of group A ended before it was cancelled"
        assert self.scancel.wait() == 0
        self.output = log.read_text()

    def look(self) -> None:
        """Note the trainings that run now, and strike those that are to be struck."""
        trainings = running_trainings()
        for title, process in trainings.items():
            jobs = self.attempts.setdefault(title, [])
            with suppress(psutil.Error):
                job = process.environ()["SLURM_JOB_ID"]
                if job not in jobs:
                    jobs.append(job)
        devices = []
        for process in trainings.values():
            with suppress(psutil.Error):
                devices.append(process.environ()["CUDA_VISIBLE_DEVICES"])
        if len(devices) > 1:
            self.side_by_side.add(tuple(sorted(devices)))
        for title, process in trainings.items():
            if self.in_the_middle(title):
                with suppress(psutil.NoSuchProcess):
                    self.strike(title, process)

    def strike(self, title: str, process: psutil.Process) -> None:
        """Cancel the training of group A, and let that of group B hang until its time is over."""
        if "group A" in title and not self.cancelled:
            # It stands still while Slurm cancels it: scancel wakes it to save its state.
            process.send_signal(signal.SIGSTOP)
            self.cancelled = self.attempts[title][-1]
            # Not waited for: the other training runs on while Slurm takes its time.
            self.scancel = subprocess.Popen(["scancel", self.cancelled])
        elif "group B" in title and self.hung in ("", self.attempts[title][-1]):
            # Again and again: Slurm may wake it with signals of its own.
            process.send_signal(signal.SIGSTOP)
            self.hung = self.attempts[title][-1]

    def in_the_middle(self, title: str) -> bool:
        """Whether a training has saved a state after its first epoch."""
        for decided_by in self.workflow.folder.glob(".state/*/*/decided_by.json"):
            if json.loads(decided_by.read_text())["training"] == title:
                names = [path.name for path in decided_by.parent.glob("state-*.safetensors")]
                return any(not name.startswith("state-00000") for name in names)
        return False

    def jobs_of(self, folder: str) -> list[str]:
        """Return the Slurm jobs of one job of the workflow, one an attempt, in order."""
        logs = (self.workflow.folder / ".snakemake/slurm_logs" / folder).glob("*.log")
        return sorted((path.stem for path in logs), key=int)

    def log_of(self, job: str) -> str:
        """Return Slurm's log of a job."""
        [path] = self.workflow.folder.glob(f".snakemake/slurm_logs/**/{job}.log")
        return Path(path).read_text()


def running_trainings() -> dict[str, psutil.Process]:
    """Return the processes that train now, by title; those that only start are left out."""
    found = {}
    for process in psutil.process_iter(["name", "cmdline"]):
        script = " ".join(process.info["cmdline"] or ())
        if ".train.py" in script and process.info["name"].startswith("python"):
            with suppress(psutil.Error, StopIteration):
                log = next(f.path for f in process.open_files() if "/logs/train/" in f.path)
                group, method, seed = Path(log).stem.split("-")
                found[f"{method}, group {group}, seed {seed}"] = process
    return found
