"""A lock is one process's, and free when that process ends, however it ends."""

import errno
import fcntl
import signal
import subprocess
import sys
import threading

import pytest

from otosynth.locks import lock_until_exit, locked, try_lock

HOLD = """
import sys, time
from pathlib import Path
from otosynth.locks import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds ``tmp_path/lock``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_holder_is_told_and_a_killed_holder_leaves_the_lock_free(holder, tmp_path):
    answer = lock_until_exit(tmp_path / "lock")
    assert answer.startswith(f"process {holder.pid} on ")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    free = try_lock(tmp_path / "lock")
    assert not isinstance(free, str)
    free.close()


def test_waiting_ends_when_the_holder_ends(holder, tmp_path):
    told = []
    threading.Timer(0.5, holder.kill).start()
    with locked(tmp_path / "lock", told.append):
        assert holder.wait() == -signal.SIGKILL
    assert len(told) == 1


def test_a_lock_names_the_slurm_job_of_its_holder(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    with locked(tmp_path / "lock", pytest.fail):
        assert "Slurm job 123" in (tmp_path / "lock").read_text(encoding="utf-8")


def test_without_locks_on_the_file_system_work_goes_on_with_a_warning(
    tmp_path, monkeypatch, caplog
):
    def no_locks(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path / "lock", pytest.fail):
        assert "run one workflow at a time" in caplog.text
