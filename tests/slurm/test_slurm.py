"""`snakemake --profile slurm` on a real Slurm: jobs come to harm, results do not."""

import subprocess

import pytest
import yaml
from workflow_copy import ROOT, digests

pytestmark = pytest.mark.slurm

HISTORY = "results/miniature/training/A/multi_task/seed-1"


def test_the_study_ends_well_with_the_bytes_of_a_local_run(on_slurm, local):
    assert on_slurm.returncode == 0, on_slurm.output[-5000:]
    expected, found = digests(local.results), digests(on_slurm.workflow.results)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []


def test_trainings_that_run_together_hold_different_gpus(on_slurm):
    assert on_slurm.side_by_side == {("0", "1")}


def test_only_learned_steps_ask_for_a_gpu(on_slurm):
    rules = {"train", "predict"}
    for path in on_slurm.workflow.folder.glob(".snakemake/slurm_logs/*"):
        job = next(path.rglob("*.log")).stem
        asked = subprocess.check_output(["scontrol", "show", "job", job], text=True)
        on_gpu = path.name.removeprefix("rule_") in rules
        assert ("Partition=gpu" in asked) == on_gpu, path.name
        assert ("TresPerJob=gres:gpu:1" in asked) == on_gpu, path.name


def test_a_cancelled_training_saves_its_state_and_continues(on_slurm):
    _, cancelled, last = on_slurm.jobs_of("rule_train/A_multi_task_1")
    assert cancelled == on_slurm.cancelled
    assert "Stopped by SIGTERM; the state is saved." in on_slurm.log_of(cancelled)
    assert "continuing after epoch" in on_slurm.log_of(last)


def test_a_training_over_its_time_limit_continues(on_slurm):
    hung, last = on_slurm.jobs_of("rule_train/B_multi_task_1")
    assert hung == on_slurm.hung
    assert "DUE TO TIME LIMIT" in on_slurm.log_of(hung)
    assert "continuing after epoch" in on_slurm.log_of(last)


def test_a_training_killed_for_memory_passes_with_more(on_slurm):
    killed, second, _ = on_slurm.jobs_of("rule_train/A_multi_task_1")
    # At 300 MB it is killed while it imports torch; with more it trains.
    assert "exceeded memory limit" in on_slurm.log_of(killed)
    assert "CPU thread(s), CUDA_VISIBLE_DEVICES" in on_slurm.log_of(second)


def test_a_second_run_does_nothing(on_slurm):
    process = subprocess.run(
        on_slurm.command(), cwd=on_slurm.workflow.folder, capture_output=True, text=True, check=True
    )
    assert "Nothing to be done" in process.stdout + process.stderr


def test_two_tasks_train_together_to_the_bytes_of_two_local_processes(on_slurm, local):
    two = ["--config", 'training={"processes": 2}']
    target = f"{HISTORY}/history.tsv"
    subprocess.run(
        on_slurm.command(target, *two), cwd=on_slurm.workflow.folder, check=True,
        capture_output=True,
    )  # fmt: skip
    log = (on_slurm.workflow.results / "logs/train/A-multi_task-1.log").read_text()
    assert "CUDA_VISIBLE_DEVICES 0,1" in log
    assert "step 120 of 120" in log, "60 patches an epoch are 30 steps of two"
    local.output_of(target, *two)
    first, second = (digests(w.folder / HISTORY) for w in (on_slurm.workflow, local))
    for name in ("history.tsv", "checkpoints/epoch-0004.safetensors"):
        assert first[name] == second[name]


def test_the_profile_asks_for_a_gpu_nowhere_itself():
    """The rules say what needs a GPU; the profile says where GPUs are."""
    profile = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    asked = {key for resources in profile["set-resources"].values() for key in resources}
    assert asked == {"slurm_partition", "slurm_extra"}
