"""Files appear whole or not at all."""

import errno

import pytest

from otosynth.errors import InputError
from otosynth.files import sha256_of, write_bytes, write_json, written_whole


def test_a_written_file_holds_what_was_written(tmp_path):
    write_json({"a": [1, 2]}, tmp_path / "new/folder/a.json")
    assert (tmp_path / "new/folder/a.json").read_text() == '{\n  "a": [\n    1,\n    2\n  ]\n}\n'
    write_bytes(tmp_path / "b", b"abc")
    assert sha256_of(tmp_path / "b").startswith("ba7816bf8f01cfea")


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "result.csv"
    path.write_text("old")

    def interrupted():
        with written_whole(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_plainly(tmp_path):
    path = tmp_path / "result.csv"

    def fill():
        with written_whole(path) as beside:
            beside.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"The disk is full: .*result\.csv could not be written"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_half_written_goes_with_the_next_write(tmp_path):
    (tmp_path / ".half-written-77-a.csv").write_text("ha")
    (tmp_path / ".half-written-78-b.csv").write_text("another file's")
    write_bytes(tmp_path / "a.csv", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".half-written-78-b.csv", "a.csv"]
