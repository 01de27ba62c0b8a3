"""The command line: help that teaches, exit statuses, and the commands that need no model."""

import io
import os
import sys
from pathlib import Path

import pytest

from otosynth.cli import main
from otosynth.commands.predict import default_folder
from otosynth.volumes.reading import read_volume

COMMANDS = ("phantom", "check", "predict", "export", "view", "monitor", "audit")
AUDIT = ("verify", "trace", "recompute", "replay", "leaks", "crate", "list")
COARSE = ["--spacing", "0.8", "--size", "12"]


def test_help_names_every_command_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    for said in (*COMMANDS, "exit status:", "docs/commands.md"):
        assert said in printed


@pytest.mark.parametrize(
    "command", [*([command] for command in COMMANDS), *(["audit", name] for name in AUDIT)], ids=str
)
def test_help_of_a_command_has_examples_and_says_what_is_written(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    said, _, examples = capsys.readouterr().out.partition("examples:\n")
    assert "Written" in said
    # They are understood: tests/documentation/test_code_blocks.py parses them on their page.
    assert f"otosynth {' '.join(command)}" in examples


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["predict"], "CT"),
        (["predict", "ear.nii", "--side", "middle"], "invalid choice"),
        (["export", "a/b"], "--out"),
        (["monitor", "--port", "-1"], "--port"),
        (["audit", "verfy"], "invalid choice"),
    ],
)
def test_wrong_use_ends_with_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "absent.nii.gz"], "absent.nii.gz: no such file or folder"),
        (["export", "a", "--out", "a.safetensors"], "'a' names no model"),
        (["check", "absent.yaml", "--base", "absent.yaml"], "absent.yaml"),
        (["view", "--results", "absent", "--no-browser"], "is missing: the study is not finished"),
        (["audit", "verify", "--results", "absent"], "is missing: the study is not finished"),
        (["monitor", "--results", "absent", "--state", "absent"], "nothing to watch yet"),
    ],
)
def test_bad_input_ends_with_1_and_one_message(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    # A bar of progress that begins leaves an empty line.
    error = capsys.readouterr().err.lstrip()
    assert error.startswith("ERROR: ")
    assert said in error
    assert "Traceback" not in error


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("otosynth.commands.export.run_export", stop)
    assert main(["export", "a/b", "--out", "a.safetensors"]) == 130
    assert "Stopped." in capsys.readouterr().err


@pytest.mark.parametrize("scan_format", ["nifti", "dicom"])
def test_a_phantom_ear_is_written_and_can_be_read(tmp_path, capsys, scan_format):
    out = tmp_path / "trial"
    assert main(["phantom", "--out", str(out), "--format", scan_format, *COARSE]) == 0
    printed = capsys.readouterr().out.splitlines()
    ct, microct = (read_volume(path) for path in map(type(out), printed[:2]))
    assert max(microct.GetSpacing()) == pytest.approx(0.8)
    assert max(ct.GetSpacing()) == pytest.approx(0.3)
    assert read_volume(out / "labels.nii.gz").GetSize() == (15, 15, 15)
    assert (out / "pose.tfm").is_file()
    assert (out / "points.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "S3_1"], "no code of the thesis's ears"),
        (["--name", "a/b"], "use letters, digits"),
        (["--spacing", "9"], "spacing_mm"),
    ],
)
def test_an_impossible_phantom_is_refused(tmp_path, capsys, arguments, message):
    assert main(["phantom", "--out", str(tmp_path / "trial"), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert message in error


def test_a_folder_in_use_is_not_written_into(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["phantom", "--out", str(tmp_path), *COARSE]) == 1
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "Öhr–7.nii.gz"], "hr"),
        (["predict", os.fsdecode(bytes([0xD6, 0x2E]))], "\\udcd6."),
        (["phantom", "--out", "trial µ", *COARSE], "ct.nii.gz"),
        (["check", "lab.yaml", "--base", "lab.yaml"], "ERROR: "),
    ],
)
def test_a_terminal_without_the_letters_is_told_all_the_same(
    arguments, said, encoding, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.yaml").write_text("study: Öhr 1\n", encoding="utf-8")
    shown = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(shown, encoding))
    assert main(arguments) == (0 if arguments[0] == "phantom" else 1)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    assert said in shown.getvalue().decode(encoding)


def test_the_default_folder_is_named_as_the_user_named_the_scan(tmp_path, monkeypatch):
    stored = tmp_path / "store/MD5E-s9--0a1b.nii.gz"
    stored.parent.mkdir()
    stored.touch()
    (tmp_path / "patient7.nii.gz").symlink_to(stored)
    (tmp_path / "patient8").symlink_to(stored.parent)
    assert str(default_folder(tmp_path / "patient7.nii.gz")) == "patient7-otosynth"
    assert str(default_folder(tmp_path / "patient8")) == "patient8-otosynth"
    monkeypatch.chdir(tmp_path / "patient8")
    assert str(default_folder(Path())) == "store-otosynth"
    assert str(default_folder(Path("../patient7.nii.gz"))) == "patient7-otosynth"


@pytest.mark.parametrize(
    ("scan", "folder"),
    [
        ("a/ear7.nii.gz", "ear7-otosynth"),
        ("a/ear7.nrrd", "ear7-otosynth"),
        ("a/ear7_dicom", "ear7_dicom-otosynth"),
        ("ear.v2.nii", "ear.v2-otosynth"),
        ("1.2.840.113/", "1.2.840.113-otosynth"),
    ],
)
def test_the_default_folder_is_named_after_the_scan(tmp_path, scan, folder):
    if scan.endswith("/"):
        (tmp_path / scan).mkdir()
    assert str(default_folder(tmp_path / scan)) == folder
