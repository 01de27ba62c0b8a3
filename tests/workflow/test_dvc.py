"""DVC keeps the bytes: push, pull, and a clone that has nothing left to compute."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from workflow_copy import MINIATURE, ROOT, Workflow

BIN = Path(sys.executable).parent
PARTS = ("Makefile", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore")
ENVIRONMENT = os.environ | {
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "true",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "GIT_AUTHOR_NAME": "test", "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "test", "GIT_COMMITTER_EMAIL": "test@example.org",
}  # fmt: skip


ADD_REMOTE = ("remote", "add", "--local", "--default", "lab")


def run(folder, *command, check=True) -> str:
    process = subprocess.run(
        [str(part) for part in command], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0 or not check, process.stdout + process.stderr
    return process.stdout + process.stderr


def dvc(folder, *arguments, check=True) -> str:
    return run(folder, BIN / "dvc", *arguments, check=check)


def commit(folder) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "state")


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Workflow:
    """A repository of the finished study in miniature, with the project's own dvc.yaml."""
    folder = tmp_path_factory.mktemp("project") / "repository"
    shutil.copytree(finished.folder, folder)
    for part in PARTS:
        (folder / part).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / part, folder / part)
    (folder / "src").mkdir()
    (folder / "src/otosynth").symlink_to(ROOT / "src/otosynth")
    pipeline = (folder / "dvc.yaml").read_text()
    pipeline = pipeline.replace("study: phantom", "study: miniature")
    pipeline = pipeline.replace(
        ".venv/bin/snakemake --cores all", f"{BIN}/snakemake --cores 2 --configfile {MINIATURE}"
    ).replace(".venv/bin/python", sys.executable)
    (folder / "dvc.yaml").write_text(pipeline)
    (folder / "published/miniature").mkdir(parents=True)
    (folder / "published/miniature/machine.yaml").write_text("processor: unknown\n")
    run(folder, "git", "init", "--quiet")
    dvc(folder, "repro", "--force")
    commit(folder)
    return Workflow(folder)


def test_a_second_repro_does_nothing(project):
    assert "Data and pipelines are up to date" in dvc(project.folder, "repro")
    assert run(project.folder, "git", "status", "--porcelain") == ""


def test_a_clone_shows_tables_figures_and_metrics(project, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", project.folder, "clone")
    published = tmp_path / "clone/published/miniature"
    assert (published / "tables/table3.md").read_bytes() == (
        project.results / "tables/table3.md"
    ).read_bytes()
    assert (published / "figures/fig7.png").is_file()
    metrics = json.loads((published / "metrics.json").read_text())
    assert metrics["data"] == "phantom in miniature"
    assert 0 < metrics["atlas"]["dice"]["bone"] <= 1
    assert not (tmp_path / "clone/results").exists()


def test_the_lock_tells_the_type_of_machine(project):
    lock = (project.folder / "dvc.lock").read_text()
    circumstances = project.results / "circumstances/train/A-multi_task-1.json"
    assert json.loads(circumstances.read_text())["processor"] in lock


def test_metrics_and_plots_are_shown_and_compared(project):
    assert "bone" in dvc(project.folder, "metrics", "show")
    path = project.folder / "published/miniature/metrics.json"
    before = path.read_text()
    path.write_text(before.replace('"bone": 0.', '"bone": 0.0', 1))
    try:
        assert "bone" in dvc(project.folder, "metrics", "diff")
    finally:
        path.write_text(before)
    dvc(project.folder, "plots", "show", "--out", "plots")
    assert "Dice of every ear and class" in (project.folder / "plots/index.html").read_text()
    shutil.rmtree(project.folder / "plots")


@pytest.fixture(params=["folder", "s3"])
def remote(request, project, tmp_path):
    """Commands that add a remote of each of the two kinds, as docs/data.md gives them."""
    if request.param == "folder":
        yield [(*ADD_REMOTE, tmp_path / "remote")]
        return
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="lab")
    yield [
        (*ADD_REMOTE, "s3://lab/otosynth"),
        ("remote", "modify", "--local", "lab", "endpointurl", endpoint),
    ]
    server.stop()


def add_remote(folder, commands):
    (folder / ".dvc/config.local").unlink(missing_ok=True)
    for command in commands:
        dvc(folder, *command)


def test_after_a_pull_nothing_is_left_to_compute(project, remote, tmp_path):
    add_remote(project.folder, remote)
    dvc(project.folder, "push")
    run(tmp_path, "git", "clone", "--quiet", project.folder, "clone")
    clone = Workflow(tmp_path / "clone")
    add_remote(clone.folder, remote)
    dvc(clone.folder, "pull")
    clone.output_of("--touch")
    assert "Nothing to be done" in clone.output_of("--dry-run")
    clone.output_of("--report", "report.html")
    assert "fig8.png" in (clone.folder / "report.html").read_text(encoding="utf-8")
    verified = run(clone.folder, BIN / "otosynth", "audit", "verify", "--results", clone.results)
    assert "Everything matches" in verified


def test_a_lab_s_scans_enter_by_one_command(project, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", project.folder, "clone")
    scans = tmp_path / "clone/data/lab"
    scans.mkdir(parents=True)
    (scans / "E1.nii").write_bytes(b"voxels")
    dvc(tmp_path / "clone", "add", "data/lab")
    assert "md5" in (tmp_path / "clone/data/lab.dvc").read_text()
    assert "data/lab/" not in run(tmp_path / "clone", "git", "status", "--porcelain", "-uall")
