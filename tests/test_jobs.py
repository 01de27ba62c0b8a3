"""A job ends with one plain message for bad input, and a traceback for a fault of ours."""

import errno
import io
import logging
import os
import sys

import pytest

from otosynth.errors import InputError, Stopped
from otosynth.jobs import logged


@pytest.fixture(autouse=True)
def restored_logging():
    handlers = logging.getLogger().handlers[:]
    yield
    for handler in logging.getLogger().handlers:
        if handler not in handlers:
            handler.close()
    logging.getLogger().handlers[:] = handlers


def test_bad_input_is_one_message_without_a_traceback(tmp_path):
    log = tmp_path / "logs/x.log"
    with pytest.raises(SystemExit) as end, logged(str(log)):
        raise InputError("ear P1: no such file. Check the table.")
    assert end.value.code == 1
    text = log.read_text()
    assert "ERROR: ear P1: no such file. Check the table." in text
    assert "Traceback" not in text


def test_a_full_disk_that_a_library_met_is_said_plainly(tmp_path):
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit) as end, logged(str(log)):
        raise OSError(errno.ENOSPC, "No space left on device", "fig1.png")
    assert end.value.code == 1
    assert "ERROR: The disk is full: fig1.png could not be written" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_name_that_no_terminal_can_show_is_logged(tmp_path, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(shown, "ascii"))
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit) as end, logged(str(log)):
        raise InputError(f"Öhr/{os.fsdecode(bytes([0xD6]))}.nii: no such file.")
    assert end.value.code == 1
    assert "ERROR: Öhr/\\udcd6.nii: no such file." in log.read_text(encoding="utf-8")
    sys.stderr.flush()
    assert shown.getvalue().decode().endswith("ERROR: \\xd6hr/\\udcd6.nii: no such file.\n")


def test_a_fault_of_ours_keeps_its_traceback(tmp_path):
    log = tmp_path / "x.log"
    with pytest.raises(ZeroDivisionError), logged(str(log)):
        _ = 1 / 0
    assert "Traceback" in log.read_text()
    assert "A fault in otosynth" in log.read_text()


@pytest.mark.parametrize(
    ("end_by", "status", "message"),
    [
        (Stopped(15), 143, "Stopped by SIGTERM; the state is saved."),
        (KeyboardInterrupt(), 130, "Stopped. The same command does this job again."),
    ],
)
def test_a_stopped_job_says_so_and_ends_as_shells_expect(tmp_path, end_by, status, message):
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit) as end, logged(str(log)):
        raise end_by
    assert end.value.code == status
    assert message in log.read_text()
    assert "Traceback" not in log.read_text()
