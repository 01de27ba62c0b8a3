"""All trainings in one TensorBoard: which are found, and what a browser would be given."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from select import select

import pytest

from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.monitoring import check_runs, find_runs, link_runs
from otosynth.training.monitor import Monitor

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 90


def write_events(folder: Path, epochs: int, seconds: float) -> None:
    monitor = Monitor(folder, first_epoch=0)
    for epoch in range(1, epochs + 1):
        monitor.write_epoch({"epoch": epoch, "dice": 1 / epoch}, {})
    monitor.close()
    for file in folder.iterdir():
        os.utime(file, (seconds, seconds))


def write_state(state: Path, study: str, digest: str, title: str, seconds: float) -> Path:
    folder = state / study / digest
    folder.mkdir(parents=True)
    (folder / "decided_by.json").write_text(json.dumps({"training": title}))
    write_events(folder / "tensorboard", 2, seconds)
    return folder / "tensorboard"


@pytest.fixture
def places(tmp_path) -> tuple[Path, Path]:
    """Folders of results and states: of two studies, one training finished and three not."""
    results, state = tmp_path / "results", tmp_path / ".state"
    write_events(results / "phantom/training/A/multi_task/seed-1/tensorboard", 4, 100)
    write_state(state, "phantom", "00old", "multi_task, group A, seed 1", 50)
    write_state(state, "phantom", "11new", "single_task, group A, seed 1", 60)
    write_state(state, "phantom", "22old", "single_task, group A, seed 1", 55)
    write_state(state, "mouse", "33new", "cg_samr, group B, seed 2", 70)
    return results, state


def test_trainings_under_way_and_finished_are_found_by_readable_names(places):
    results, state = places
    assert find_runs(results, state) == {
        "mouse/B/cg_samr/seed-2": state / "mouse/33new/tensorboard",
        "phantom/A/multi_task/seed-1": results / "phantom/training/A/multi_task/seed-1/tensorboard",
        "phantom/A/single_task/seed-1": state / "phantom/11new/tensorboard",
    }
    assert list(find_runs(results, state, ["mouse"])) == ["mouse/B/cg_samr/seed-2"]


def test_a_training_without_curves_yet_does_not_show(places):
    results, state = places
    folder = state / "mouse/44/tensorboard"
    folder.mkdir(parents=True)
    (folder.parent / "decided_by.json").write_text('{"training": "cg_samr, group C, seed 1"}')
    (state / "mouse/55").mkdir()
    (state / "mouse/55/decided_by.json").write_text('{"trai')
    assert len(find_runs(results, state)) == 3


def test_links_follow_what_is_there(places, tmp_path):
    results, state = places
    links = tmp_path / "links"
    link_runs(find_runs(results, state), links)
    single = links / "phantom/A/single_task/seed-1"
    assert single.resolve() == (state / "phantom/11new/tensorboard").resolve()
    newer = write_state(state, "phantom", "66new", "single_task, group A, seed 1", 99)
    link_runs(find_runs(results, state), links)
    assert single.resolve() == newer.resolve()
    link_runs(find_runs(results, state, ["mouse"]), links)
    assert [link for link in links.glob("*/*/*/*") if link.is_symlink()] == [
        links / "mouse/B/cg_samr/seed-2"
    ]


def test_nothing_to_watch_is_said(tmp_path, places, capsys):
    empty = tmp_path / "none"
    with pytest.raises(InputError, match="`make study` starts the default one"):
        check_runs({}, empty, empty, None)
    results, state = places
    where = ["--results", str(results), "--state", str(state)]
    assert main(["monitor", "--study", "wimmer", *where]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ERROR: The study wimmer has no curves in")
    assert "There are: mouse, phantom." in error


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def command(places, port: int) -> list[str]:
    results, state = places
    program = "import sys; from otosynth.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "monitor", "--port", str(port),
            "--results", str(results), "--state", str(state)]  # fmt: skip


def test_a_port_that_is_taken_is_said(places, taken_port):
    process = subprocess.run(
        command(places, taken_port), capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert f"ERROR: Port {taken_port} is taken by another program" in process.stderr
    assert f"make monitor PORT={taken_port + 1}" in process.stderr
    assert "Traceback" not in process.stderr


def asked(address: str, wanted) -> object:
    """Ask TensorBoard until it says what is wanted: it looks at the files every five seconds."""
    last: object = None
    for _ in range(SECONDS_TO_START):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                last = json.load(answer)
        except (urllib.error.URLError, ValueError) as error:
            last = error
        if wanted(last):
            return last
        time.sleep(1)
    raise AssertionError(last)


def test_tensorboard_shows_all_trainings_and_those_that_begin_later(places, free_port):
    names = list(find_runs(*places))
    data = f"http://localhost:{free_port}/data"
    scalars = f"{data}/plugin/scalars/scalars?tag=training/dice&run={names[1]}"
    with subprocess.Popen(
        command(places, free_port), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell that starts the tests in its background makes them deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        try:
            assert select([process.stdout], [], [], SECONDS_TO_START)[0], "it does not start"
            said = process.stdout.readline()
            assert said.startswith(f"3 training(s) at http://localhost:{free_port}/"), said
            # TensorBoard sorts runs by when they began.
            asked(f"{data}/runs", lambda runs: isinstance(runs, list) and sorted(runs) == names)
            curve = asked(scalars, lambda rows: isinstance(rows, list) and len(rows) == 4)
            assert [row[1] for row in curve] == [1, 2, 3, 4]
            write_state(places[1], "mouse", "77", "cg_samr, group C, seed 1", 80)
            asked(f"{data}/runs", lambda runs: isinstance(runs, list) and len(runs) == 4)
        finally:
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_make_passes_study_and_port_on():
    process = subprocess.run(
        ["make", "--dry-run", "monitor", "STUDY=mouse", "PORT=7000"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    # `make test` would say where it comes from.
    [last] = [line for line in process.stdout.splitlines() if "otosynth monitor" in line]
    assert last.split() == [".venv/bin/otosynth", "monitor", "--port", "7000", "--study", "mouse"]
