"""Start a training: in this process, or in several by torch's own distributed launcher."""

import logging
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from otosynth.errors import Stopped
from otosynth.jobs import logged
from otosynth.training.stopping import SAVE_SIGNAL, STOP_SIGNALS
from otosynth.training.task import TrainingTask, train_task
from otosynth.training.team import join_team

TASK = "task.json"
# Ports that are free for users on most machines; a Slurm job takes one by its number.
FIRST_PORT, PORTS = 20000, 20000
SECONDS_TO_MEET = 900


def run_team(task: TrainingTask, folder: Path, log: str) -> None:
    """Train with ``task.processes`` processes and wait for them.

    In a Slurm job of its own each process is a Slurm task, on whatever nodes Slurm chose;
    otherwise all run on this machine.

    Parameters
    ----------
    folder
        The task's state folder.
    log
        The job's log file, which the leader appends to.

    Raises
    ------
    Stopped
        If a signal ended the training; its state is saved.
    SystemExit
        If a process failed; it has said why.
    """
    task.write(folder / TASK)
    command = [sys.executable, "-m", __name__, str(folder / TASK), log]
    if _is_own_slurm_job(os.environ):
        number, threads = task.processes, task.training["threads"]
        options = [f"--ntasks={number}", f"--cpus-per-task={threads}", f"--gpus={number}"]
        command = ["srun", *options, *command]
    process = subprocess.Popen(command)
    received: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number != SAVE_SIGNAL:
            received.append(number)
        process.send_signal(number)

    for number in (*STOP_SIGNALS, SAVE_SIGNAL):
        signal.signal(number, pass_on)
    status = process.wait()
    if received:
        raise Stopped(received[0])
    if status != 0:
        sys.exit(1)


def _is_own_slurm_job(environment: Mapping[str, str]) -> bool:
    # Snakemake's Slurm plug-in leaves the job's number and removes all that says how many tasks
    # it has; where that is still there, a person runs the workflow within a job of theirs.
    return "SLURM_JOB_ID" in environment and "SLURM_NTASKS" not in environment


def launch_config(processes: int, environment: Mapping[str, str]) -> LaunchConfig:
    """Return how torch's launcher starts the processes and where they meet.

    Within a Slurm job step of several tasks, each task launches one process and all meet at the
    node that the step was started from, where task 0 runs; otherwise one launcher starts all on
    this machine.
    """
    if int(environment.get("SLURM_NTASKS", "1")) == 1:
        return LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=processes, max_restarts=0,
            run_id=uuid.uuid4().hex, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
        )  # fmt: skip
    job_number = int(environment["SLURM_JOB_ID"])
    address = environment["SLURM_LAUNCH_NODE_IPADDR"]
    return LaunchConfig(
        min_nodes=processes, max_nodes=processes, nproc_per_node=1, max_restarts=0,
        run_id=str(job_number), rdzv_backend="static",
        rdzv_endpoint=f"{address}:{FIRST_PORT + job_number % PORTS}",
        # A fixed rank for each task, so that patches and sums do not depend on who comes first.
        rdzv_configs={"rank": int(environment["SLURM_PROCID"]), "timeout": SECONDS_TO_MEET},
    )  # fmt: skip


def train_in_team(task_file: str, log: str) -> None:
    """Train as one of the processes that torch's launcher started."""
    task = TrainingTask.read(Path(task_file))
    with logged(log, mode="a"), join_team(task.processes) as team:
        if not team.leads:
            logging.getLogger().setLevel(logging.ERROR)
        train_task(task, Path(task_file).parent, team)


def main() -> None:
    """Launch the processes of this machine, or of this Slurm task."""
    task_file, log = sys.argv[1:]
    # The process that failed has said why; the launcher's own report would only repeat it.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = launch_config(TrainingTask.read(Path(task_file)).processes, os.environ)
    try:
        elastic_launch(config, train_in_team)(task_file, log)
    except ChildFailedError:
        sys.exit(1)
    except SignalException as stopped:
        sys.exit(128 + stopped.sigval.value)


if __name__ == "__main__":
    main()
