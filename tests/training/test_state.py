"""The saved state: damage is seen, what changed is told, what a kill left is removed."""

import logging
from pathlib import Path

import pytest

from otosynth.training.state import clean_state_folder
from otosynth.training.task import TrainingTask, train_task
from otosynth.training.team import Team

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")


@pytest.fixture
def trained(make_task, tmp_path):
    """A finished training: its task and its state folder."""
    task = make_task()
    folder = task.open_state(tmp_path / "state")
    train_task(task, folder, Team())
    return task, folder


def newest(folder):
    return sorted(folder.glob("state-*.safetensors"))[-1]


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


def test_a_state_cut_short_by_a_power_cut_is_set_aside(trained, caplog):
    task, folder = trained
    before, path = contents(folder), newest(folder)
    path.write_bytes(path.read_bytes()[:1000])
    train_task(task, folder, Team())
    assert f"{path} is damaged; it is set aside and the state before it is used." in caplog.text
    assert path.with_suffix(".damaged").exists()
    assert newest(folder) == path, "the same state is reached again"
    assert contents(folder) == before


@pytest.mark.parametrize("spoil", ["missing", "changed"])
def test_a_spoiled_checkpoint_is_made_again(trained, caplog, spoil):
    task, folder = trained
    before = contents(folder)
    path = folder / "checkpoints/epoch-0004.safetensors"
    if spoil == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    train_task(task, folder, Team())
    assert "epoch-0004.safetensors, which is missing or changed" in caplog.text
    assert contents(folder) == before


def test_without_a_whole_state_training_starts_afresh(trained, caplog):
    task, folder = trained
    before = contents(folder)
    for path in folder.glob("state-*.safetensors"):
        path.write_bytes(b"")
    train_task(task, folder, Team())
    assert contents(folder) == before


def test_a_changed_key_or_input_starts_afresh_and_says_so(trained, tmp_path, caplog):
    task, folder = trained
    caplog.set_level(logging.INFO)
    slower = TrainingTask(**vars(task) | {"settings": task.settings | {"learning_rate": 1e-5}})
    other = slower.open_state(tmp_path / "state")
    assert other != folder
    assert "starts from the first epoch" in caplog.text
    assert f"Since the state in {folder} these changed: settings.learning_rate" in caplog.text

    caplog.clear()
    with Path(task.training_table).open("a", encoding="utf-8") as table:
        table.write("\n")
    assert task.open_state(tmp_path / "state") not in (folder, other)
    assert "patches.tsv" in caplog.text


def test_how_often_the_state_is_saved_decides_nothing(trained, tmp_path, caplog):
    task, folder = trained
    rarely = TrainingTask(**vars(task) | {"training": task.training | {"state_minutes": 99.0}})
    assert rarely.open_state(tmp_path / "state") == folder
    assert "starts from the first epoch" not in caplog.text


def test_what_a_kill_left_half_written_is_removed(trained):
    _, folder = trained
    for name in (".half-written-1-state", "checkpoints/.half-written-2-epoch"):
        (folder / name).write_bytes(b"half")
    before = contents(folder).keys() - {".half-written-2-epoch"}
    clean_state_folder(folder)
    assert contents(folder).keys() == before
    assert not list(folder.rglob(".half-written-*"))
