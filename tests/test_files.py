"""Files appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from otosynth.errors import InputError
from otosynth.files import (
    HALF_WRITTEN,
    check_can_write,
    folder_written_whole,
    read_text,
    sha256_of,
    whole_files,
    write_bytes,
    write_json,
    written_whole,
)


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


def test_a_folder_appears_whole_in_place_of_the_old_files(tmp_path):
    folder = tmp_path / "new/folder"
    for files in (("a", "b", "record"), ("b", "record")):
        with folder_written_whole(folder, "record") as within:
            for name in files:
                (within / name).write_text(files[0])
            (within / "slices").mkdir()
            assert not {path.read_text() for path in whole_files(folder) if path.is_file()} & {
                files[0]
            }
        assert [path.name for path in whole_files(folder)] == [*files, "slices"]
        assert len(list(folder.iterdir())) == len(files) + 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
def test_a_folder_that_is_not_filled_stays_as_it_was(tmp_path, error):
    old = tmp_path / "old"
    old.mkdir()
    (old / "a").write_text("old")

    def stopped(folder):
        with folder_written_whole(folder) as within:
            (within / "a").write_text("half")
            raise error

    for folder in (old, tmp_path / "new"):
        with pytest.raises(error):
            stopped(folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "a"]
    assert (old / "a").read_text() == "old"


LETTERS = "Öhr 1,ä\r\nÉ,µm\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_texts_are_read_in_the_encodings_that_they_tell(tmp_path, encoding):
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    path = tmp_path / "table.csv"
    path.write_bytes((mark + LETTERS).encode(encoding))
    assert read_text(path) == LETTERS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\nb,\xd6hr\n", r"table.csv: line 2 is not UTF-8 \(byte 5 is 0xd6\); save it as UTF-8"),
        (LETTERS.encode("cp1252"), r"line 1 is not UTF-8 \(byte 1 is 0xd6\)"),
        (
            "a,b".encode("utf-16-le"),
            r"no text in UTF-8 \(character 2 is 0x00\); save it as UTF-8",
        ),
        (b"\xff\xfea\0\0", r"line 1 is not UTF-16"),
    ],
)
def test_other_encodings_are_not_guessed(tmp_path, data, message):
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_text(path)


def test_what_a_kill_left_in_a_folder_does_not_count(tmp_path):
    (tmp_path / f"{HALF_WRITTEN}1").mkdir()
    assert whole_files(tmp_path) == []
    with folder_written_whole(tmp_path) as within:
        (within / "a").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path):
    check_can_write(tmp_path / "new/folder")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is a file, and a folder is wanted"):
        check_can_write(tmp_path / "file/folder")
    if Path("/proc").is_dir():
        with pytest.raises(InputError, match=r"/proc/x: nothing can be written in /proc"):
            check_can_write(Path("/proc/x"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with (
        pytest.raises(InputError, match="could not be written"),
        folder_written_whole(tmp_path / "file/folder"),
    ):
        pass
