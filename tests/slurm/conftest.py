"""A real Slurm, and a study in miniature on it: two ears are tested by each group."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

from workflow_copy import MINIATURE, ROOT, Workflow, copy_workflow

GROUPS = "group\ttesting\ttraining\tvalidation\nA\tE1,E2\tE3\tE4\nB\tE3,E4\tE1\tE2\n"
SPECIMENS = "specimen\tside\nE1\tright\nE2\tleft\nE3\tright\nE4\tleft\n"
METHOD = "multi_task"
# Long enough to be stopped in their middle.
SCHEDULE = {"epochs": 4, "constant_epochs": 2, "steps_per_epoch": 60, "checkpoint_every": 2}


@pytest.fixture(scope="session")
def cluster():
    """Slurm with two GPUs, each a character device."""
    script = str(Path(__file__).with_name("cluster.sh"))
    subprocess.run([script, "up"], check=True)
    yield
    subprocess.run([script, "down"], check=True)


def make_study(folder: Path) -> Workflow:
    """Copy the workflow with its profile; the profile's own lines stay as they are."""
    workflow = copy_workflow(folder)
    (folder / "config/miniature_specimens.tsv").write_text(SPECIMENS)
    (folder / "config/miniature_groups.tsv").write_text(GROUPS)
    # One method: two trainings are enough for all that can happen to one.
    for path in (folder / "config.yaml", folder / MINIATURE):
        study = yaml.safe_load(path.read_text())
        study["methods"] = {METHOD: study["methods"][METHOD] | SCHEDULE}
        path.write_text(yaml.safe_dump(study))

    profile = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    profile["latency-wait"] = 5
    profile["slurm-init-seconds-before-status-checks"] = 1
    # One minute at first, two at the second attempt; group A gets too little memory at first.
    profile["set-resources"]["train"] |= {
        "runtime": "attempt",
        "mem_mb": "300 if wildcards.group == 'A' and attempt == 1 else 2500",
    }
    (folder / "slurm").mkdir()
    (folder / "slurm/config.yaml").write_text(yaml.safe_dump(profile))
    return workflow


@pytest.fixture(scope="session")
def local(tmp_path_factory) -> Workflow:
    """The same study, run on this machine without Slurm."""
    workflow = make_study(tmp_path_factory.mktemp("local"))
    workflow.output_of()
    return workflow


@pytest.fixture(scope="session")
def on_slurm(cluster, tmp_path_factory):
    """The study as it ran through Slurm, with what befell its trainings on the way."""
    from mishaps import Mishaps

    workflow = make_study(tmp_path_factory.mktemp("slurm"))
    mishaps = Mishaps(workflow)
    mishaps.run()
    return mishaps
