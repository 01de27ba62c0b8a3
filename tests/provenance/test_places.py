"""Files have names that do not depend on where a study lies."""

from pathlib import Path

import pytest

from otosynth.provenance.places import Places, files_within, is_circumstantial, is_shown


@pytest.mark.parametrize("folder", ["/here", "/elsewhere"])
def test_a_file_has_the_same_name_wherever_the_study_lies(folder):
    root = Path(folder)
    places = Places(root / "results/phantom", root / "scans", root)
    names = {
        root / "results/phantom/tables/table1.csv": "tables/table1.csv",
        root / "scans/E1/ct.nii": "data:E1/ct.nii",
        root / "config/groups.tsv": "project:config/groups.tsv",
        Path("/quite/else.nii"): "/quite/else.nii",
    }
    assert {path: places.name_of(path) for path in names} == names
    assert {path: places.path_of(name) for path, name in names.items()} == {p: p for p in names}


def test_only_logs_and_the_like_are_circumstantial():
    assert is_circumstantial("logs/train/A-multi_task-1.log")
    assert is_circumstantial("training/A/multi_task/seed-1/tensorboard/events")
    assert not is_circumstantial("training/A/multi_task/seed-1/history.tsv")
    assert not is_circumstantial("records/train/A-multi_task-1.json")
    assert not is_circumstantial("figures/logs/fig1.png")


def test_tables_and_figures_are_shown():
    assert is_shown("tables/table1.md")
    assert is_shown("specimens/E1/qc/histogram.png")
    assert not is_shown("specimens/E1qc/ct.nii")


def test_a_folder_s_files_are_without_snakemake_s_mark(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b", "sub/a", ".snakemake_timestamp"):
        (tmp_path / name).touch()
    assert files_within(tmp_path) == [tmp_path / "b", tmp_path / "sub/a"]
