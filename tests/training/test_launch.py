"""Real processes: killed at random moments, or training together, they end with the same bytes."""

import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.errors import Stopped
from otosynth.methods import create_method
from otosynth.methods.base import Batch
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs
from otosynth.seeds import derive_seed
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import read_tensors
from otosynth.training.launch import launch_config, run_team
from otosynth.training.schedule import patch_order
from otosynth.training.task import TrainingTask, train_task
from otosynth.training.team import Team
from otosynth.training.trainer import Job, Trainer

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")

ALONE = (
    "import sys; from otosynth.training.launch import train_in_team; train_in_team(*sys.argv[1:])"
)


def start(task: TrainingTask, folder: Path) -> subprocess.Popen:
    """Train in a process of its own, as the workflow's job does."""
    task.write(folder / "task.json")
    command = [sys.executable, "-c", ALONE, str(folder / "task.json"), str(folder / "log")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def stop_at_first_state(folder: Path) -> None:
    """Send SIGTERM to this process once a training has saved a state."""
    while not list(folder.glob("state-*.safetensors")):
        time.sleep(0.05)  # so that waiting takes no core from the training
    signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [folder / "history.tsv", *sorted((folder / "checkpoints").iterdir())]
    }


def parts(batch: Batch) -> tuple[torch.Tensor, ...]:
    return batch.ct, batch.microct, batch.mask, batch.classes


def history_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.tsv", sep="\t")


def states(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("state-*.safetensors")}


def test_killed_at_random_moments_a_training_ends_with_the_same_bytes(make_task, tmp_path):
    task = make_task(epochs=8, steps_per_epoch=40)
    train_task(task, tmp_path / "whole", Team())
    seed = random.SystemRandom().randrange(10**6)
    print("seed of the moments:", seed)
    chance = random.Random(seed)
    folder = tmp_path / "killed"
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        before = states(folder)
        process = start(task, folder)
        while states(folder) <= before:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.01)
        # So that the kill falls at any moment, not right after a state was saved.
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(number)
        said = process.communicate()[1]
        assert "Traceback" not in said
        if number == signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 128 + number
            assert f"Stopped by {number.name}; the state is saved." in said
    with start(task, folder) as process:
        assert "continuing after epoch" in process.communicate()[1]
    assert digests(folder) == digests(tmp_path / "whole")


def test_an_early_warning_saves_the_state_and_training_goes_on(make_task, tmp_path):
    task = make_task(epochs=1, constant_epochs=1, steps_per_epoch=200, checkpoint_every=1)
    slow_to_save = task.training | {"state_minutes": 10}
    task = TrainingTask(**vars(task) | {"training": slow_to_save})
    with start(task, tmp_path / "warned") as process:
        while not (tmp_path / "warned/tensorboard").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGURG)
        while not (saved := states(tmp_path / "warned")):
            assert process.poll() is None, "it ended without a state"
            time.sleep(0.01)
        assert process.wait() == 0
        process.stderr.read()
    assert len(saved) == 1
    assert int(saved.pop().split("-")[2]) > 0, "in the middle of the epoch"


def test_two_processes_step_as_one_with_a_batch_of_two(make_task, tmp_path):
    """One step of a team equals one step on both patches; no dropout, since each draws its own."""
    changes = {"epochs": 1, "constant_epochs": 1, "steps_per_epoch": 2, "checkpoint_every": 1}
    task = make_task(processes=2, dropout=0.0, **changes)
    run_team(task, tmp_path / "team", str(tmp_path / "log"))
    trained, _ = read_tensors(tmp_path / "team/checkpoints/epoch-0001.safetensors")

    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    reader = PatchReader(
        pd.read_csv(task.training_table, sep="\t"),
        open_pairs(task.pairs, task.mirrored),
        Normalisation.read(Path(task.normalisation)),
        arithmetic,
    )
    seed = derive_seed(task.study_seed, "training", "A", "multi_task", 1)
    method = create_method(method_settings("multi_task", task.settings))
    job = Job("one", seed, tmp_path / "one", 10)
    alone = Trainer(method, reader, reader, arithmetic, job)
    first, second = (reader.read(int(row)) for row in patch_order(len(reader), 2, seed, 0))
    both = Batch(*map(torch.cat, zip(parts(first), parts(second), strict=True)))
    losses = alone._step(both, epoch=0)

    history = history_of(tmp_path / "team").iloc[0]
    for name, loss in losses.items():
        assert history[name] == pytest.approx(float(loss), rel=1e-4), name
    # Adam's first step is the sign of the gradient: where that is rounding alone, it may differ.
    same = [
        torch.isclose(trained[f"{network}.{name}"], weight, rtol=0, atol=1e-5).float().mean()
        for network in ("generator", "discriminator")
        for name, weight in alone.networks[network].named_parameters()
        if name.endswith("weight")
    ]
    assert min(same) > 0.99


def test_a_team_repeats_and_continues_to_the_same_bytes(make_task, tmp_path):
    task = make_task(processes=2, epochs=4, steps_per_epoch=60)
    run_team(task, tmp_path / "whole", str(tmp_path / "log"))
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "step 120 of 120" in log, "60 patches are 30 steps of two"

    watcher = threading.Thread(target=stop_at_first_state, args=[tmp_path / "stopped"], daemon=True)
    watcher.start()
    with pytest.raises(Stopped):
        run_team(task, tmp_path / "stopped", str(tmp_path / "log2"))
    watcher.join()
    assert "Stopped by SIGTERM; the state is saved." in (tmp_path / "log2").read_text()
    run_team(task, tmp_path / "stopped", str(tmp_path / "log3"))
    assert "continuing after epoch" in (tmp_path / "log3").read_text()
    assert digests(tmp_path / "stopped") == digests(tmp_path / "whole")


def test_a_process_that_fails_ends_the_team_with_one_message(make_task, tmp_path, capfd):
    task = make_task(processes=2)
    Path(task.normalisation).write_text("{}")
    with pytest.raises(SystemExit) as end:
        run_team(task, tmp_path / "failed", str(tmp_path / "log"))
    assert end.value.code == 1
    assert "ChildFailedError" not in capfd.readouterr().err


def test_on_slurm_each_task_launches_one_process_of_a_fixed_rank():
    config = launch_config(
        4,
        {
            "SLURM_NTASKS": "4",
            "SLURM_PROCID": "2",
            "SLURM_JOB_ID": "41234",
            "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7",
        },
    )
    assert (config.min_nodes, config.nproc_per_node) == (4, 1)
    assert config.rdzv_endpoint == "10.0.0.7:21234"
    assert config.rdzv_configs["rank"] == 2


def test_on_one_machine_one_launcher_starts_all():
    config = launch_config(3, {})
    assert (config.min_nodes, config.nproc_per_node) == (1, 3)
