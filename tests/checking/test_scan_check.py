"""Scans are listed with what is odd about each, and those that are refused with their message."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from rich.console import Console

from otosynth.checking.scan_check import check_scans, print_checks, scans_of
from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.volumes.formats import Source, write_as
from otosynth.volumes.writing import write_volume

STRAIGHT = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)
LEFT_HANDED = (-1.0, 0, 0, 0, 1, 0, 0, 0, 1)


def scan(low: float = -1000, high: float = 2000, direction=STRAIGHT) -> sitk.Image:
    values = np.random.default_rng(4).uniform(low, high, (12, 14, 16)).astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.4, 0.6))
    image.SetDirection(direction)
    return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One scan of every format, in folders of folders, and files that are none."""
    for name in ("nifti", "nrrd", "metaimage", "tiff", "dicom"):
        (tmp_path / name).mkdir()
        write_as(scan(), tmp_path / name / "ear", Source(name, {}), "ear")
    sitk.WriteImage(scan(), tmp_path / "ear.mhd")
    (tmp_path / "notes.txt").write_text("?")
    (tmp_path / ".trash").mkdir()
    write_volume(scan(), tmp_path / ".trash/ear.nii")
    return tmp_path


def checks(*paths: Path):
    return list(check_scans(scans_of(paths)))


def lines(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_a_folder_lists_every_scan_once(folder):
    found = [str(path.relative_to(folder)) for path in scans_of([folder, folder / "nifti"])]
    assert found == [
        "ear.mhd", "dicom/ear-dicom", "metaimage/ear.mha", "nifti/ear.nii.gz", "nrrd/ear.nrrd",
        "tiff/ear-tiff",
    ]  # fmt: skip


def test_several_files_of_pages_in_a_folder_are_as_many_scans(tmp_path):
    for name in ("a1", "a2"):
        sitk.WriteImage(sitk.Cast(scan(), sitk.sitkInt16), tmp_path / f"{name}.tif")
        (tmp_path / f"{name}.spacing.json").write_text('{"spacing_mm": [0.5, 0.4, 0.6]}')
    assert scans_of([tmp_path]) == [tmp_path / "a1.tif", tmp_path / "a2.tif"]
    assert [check.refused for check in checks(tmp_path)] == ["", ""]


def test_a_sound_scan_has_its_facts_and_no_remark(tmp_path):
    write_volume(scan(), tmp_path / "ear.nii.gz")
    (check,) = checks(tmp_path)
    assert (check.refused, check.remarks) == ("", ())
    assert check.cells[:9] == (
        str(tmp_path / "ear.nii.gz"), "nifti", "16 × 14 × 12", "0.5 × 0.4 × 0.6", "8 × 5.6 × 7.2",
        "LPS", "right-handed", "mm", "none",
    )  # fmt: skip
    assert check.cells[9].startswith("-9")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (scan(direction=LEFT_HANDED), "left-handed"),
        (scan(low=0, high=1), "no Hounsfield units"),
        (scan(low=0, high=60000), "no Hounsfield units"),
    ],
)
def test_what_is_odd_is_said(tmp_path, image, said):
    write_volume(image, tmp_path / "ear.nii.gz")
    (check,) = checks(tmp_path)
    assert not check.refused
    assert [said in remark for remark in check.remarks] == [True]


def test_a_converted_unit_is_shown(tmp_path):
    image = scan()
    image.SetSpacing((50, 40, 60))
    sitk.WriteImage(image, tmp_path / "ear.mha")
    content = (tmp_path / "ear.mha").read_bytes()
    (tmp_path / "ear.mha").write_bytes(content.replace(b"NDims", b"DistanceUnits = um\nNDims"))
    (check,) = checks(tmp_path)
    assert check.cells[3] == "0.05 × 0.04 × 0.06"
    assert "um" in check.cells[7]


def test_padding_and_a_small_field_of_view_are_said(tmp_path):
    image = scan()
    values = sitk.GetArrayFromImage(image)
    values[:, :2] = -2000
    padded = sitk.GetImageFromArray(values)
    padded.SetSpacing((0.05, 0.05, 0.05))
    write_volume(padded, tmp_path / "ear.nii.gz")
    (check,) = checks(tmp_path)
    said = " ".join(check.remarks)
    assert check.cells[8] == "-2000 (14.3% of the voxels), left out"
    assert "field of view is 0.8 × 0.7 × 0.6 mm" in said


def test_refused_scans_stand_beside_the_others(folder, capsys):
    (folder / "nrrd/ear.nrrd").write_bytes((folder / "nrrd/ear.nrrd").read_bytes()[:-40])
    (folder / "empty.nii").write_bytes(b"")
    table = folder / "out/scans.tsv"
    assert main(["check", str(folder), "--table", str(table)]) == 1
    printed = capsys.readouterr().out
    assert "7 scan(s), 0 remark(s), 2 refused." in printed
    rows = {Path(row["path"]).name: row for row in lines(table)}
    assert len(rows) == 7
    assert {name for name, row in rows.items() if row["refused"]} == {"ear.nrrd", "empty.nii"}
    assert rows["ear-dicom"]["format"] == "dicom"
    assert "ear.nrrd" in rows["ear.nrrd"]["refused"]


def test_sound_scans_end_with_0(folder, capsys):
    assert main(["check", str(folder / "nifti"), str(folder / "ear.mhd")]) == 0
    assert "2 scan(s), 0 remark(s), 0 refused." in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_fits_the_terminal(folder, width):
    write_volume(scan(low=0, high=1), folder / "odd.nii.gz")
    (folder / "empty.nii").write_bytes(b"")
    with (folder / "printed").open("w", encoding="utf-8") as printed:
        console = Console(width=width, record=True, file=printed)
        print_checks(checks(folder), console)
    printed = console.export_text()
    assert max(map(len, printed.splitlines())) <= width
    for said in ("right-handed", "REFUSED", "Hounsfield", "dicom"):
        assert said in "".join(printed.split("\n"))


def test_a_fault_of_ours_stops_no_other_scan(folder, monkeypatch):
    def fail(path: Path) -> sitk.Image:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("otosynth.checking.scan_check.read_volume", fail)
    found = checks(folder)
    assert len(found) == 6
    assert all("ZeroDivisionError: division by zero" in check.refused for check in found)


def test_what_holds_no_scan_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("?")
    with pytest.raises(InputError, match="holds no scan of a known format"):
        scans_of([tmp_path])
    assert main(["check", str(tmp_path / "absent.nii")]) == 1
    assert "no such file or folder" in " ".join(capsys.readouterr().out.split())
    assert main(["check", str(tmp_path / "notes.txt"), "config/mylab.yaml"]) == 1
    assert "is no configuration" in capsys.readouterr().err
