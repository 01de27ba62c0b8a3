"""The specimen table and the leave-k-out groups."""

from pathlib import Path

import pytest

from otosynth.errors import InputError
from otosynth.specimens import (
    Group,
    Specimen,
    check_groups,
    make_groups,
    read_groups,
    read_specimens,
)
from otosynth.volumes.stated import NOTHING_STATED, Stated

FOLDER = Path("raw")
THESIS = ("S3_1", "S3_2", "S3_7", "S3_8", "S3_11", "S3_12")
TABLE_1 = (
    "group\ttesting\ttraining\tvalidation\n"
    "A\tS3_2,S3_7\tS3_1,S3_11,S3_12\tS3_8\n"
    "B\tS3_1,S3_8\tS3_2,S3_11,S3_12\tS3_7\n"
    "C\tS3_11,S3_12\tS3_2, S3_7, S3_8\tS3_1\n"
)


def table(tmp_path: Path, text: str, name: str = "table.tsv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_with_every_kind_of_start_are_read(tmp_path):
    """The shape of the mouse ears' own table."""
    path = table(
        tmp_path,
        "specimen\tct\tmicroct\tinitial_transform\n"
        + "c57bl6j\tc57bl6j/ct.nii.gz\tc57bl6j/microct.nii.gz\t\n"
        + "balbcj\tb/ct.nrrd\tb/microct.nrrd\tb/ct.fcsv,b/microct.fcsv\n"
        + "akrj\ta/ct_dicom\ta/microct_tif\ta/initial.tfm\n",
    )
    specimens = read_specimens(path, FOLDER, "right")
    assert list(specimens) == ["c57bl6j", "balbcj", "akrj"]
    assert specimens["c57bl6j"].initial_transform == ()
    assert specimens["akrj"].initial_transform == (FOLDER / "a/initial.tfm",)
    assert specimens["balbcj"] == Specimen(
        name="balbcj",
        side="right",
        ct=FOLDER / "b/ct.nrrd",
        microct=FOLDER / "b/microct.nrrd",
        initial_transform=(FOLDER / "b/ct.fcsv", FOLDER / "b/microct.fcsv"),
    )


def test_phantom_has_no_scans_and_csv_is_read(tmp_path):
    path = table(tmp_path, "\ufeffspecimen,side\nP1, left\nP2,\n", "table.csv")
    assert read_specimens(path, FOLDER, "right") == {
        "P1": Specimen("P1", "left", None, None, ()),
        "P2": Specimen("P2", "right", None, None, ()),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty"),
        ("specimen\tct\tmicroct\n", "a header but no rows"),
        ("name\tct\tmicroct\nS1\ta\tb\n", "column specimen is missing"),
        ("specimen\tct\nS1\ta\n", "has a column ct only"),
        ("specimen\tct\tmicroCT\nS1\ta\tb\n", "unknown column 'microCT'.*microct"),
        ("specimen\tct\tct\tmicroct\nS1\ta\tb\tc\n", "column ct stands twice"),
        ("specimen\tct\tmicroct\nS1\ta\tb\nS1\tc\td\n", "specimen S1 stands in two rows"),
        ("specimen\tct\tmicroct\nS1\ta\t\n", "specimen S1 has no microct"),
        ("specimen\tct\tmicroct\nS1\ta\n", "row of 'S1' has 2 cells and the header 3"),
        ("specimen\tside\nS1\tL\n", "specimen S1 has the side 'L'"),
        ("specimen\tside\n../S1\tleft\n", r"'\.\./S1' is no specimen name"),
        ("specimen\tside\nS1.2\tleft\n", r"'S1\.2' is no specimen name"),
        ("specimen\tside\nS 1\tleft\n", "'S 1' is no specimen name"),
        ("specimen\tside\nÖhr\tleft\n", "is no specimen name"),
        ("specimen\tside\n\tleft\n", "'' is no specimen name"),
    ],
)
def test_bad_specimen_tables_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"table\.tsv: .*{message}"):
        read_specimens(table(tmp_path, text), FOLDER, "left")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_of_spreadsheets_are_read(tmp_path, encoding):
    path = tmp_path / "ears.csv"
    path.write_text("specimen,ct,microct\r\nE1,Öhr/ct.nii,Öhr/m.nii\r\n", encoding=encoding)
    ear = read_specimens(path, Path("data"), "right")["E1"]
    assert ear.ct == Path("data/Öhr/ct.nii")
    path.write_text("specimen,ct,microct\nE1,Öhr/ct.nii,Öhr/m.nii\n", encoding="cp1252")
    with pytest.raises(InputError, match=r"ears.csv: line 2 is not UTF-8"):
        read_specimens(path, Path("data"), "right")


def test_absent_and_other_tables_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.tsv: no such table"):
        read_specimens(tmp_path / "absent.tsv", FOLDER, "left")
    with pytest.raises(InputError, match=r"\.tsv \(tabs\) or \.csv"):
        read_specimens(table(tmp_path, "specimen\nS1\n", "table.xlsx"), FOLDER, "left")


def test_table_1_is_read_and_passes(tmp_path):
    groups = read_groups(table(tmp_path, TABLE_1))
    check_groups(groups, THESIS)
    assert groups["C"] == Group("C", ("S3_11", "S3_12"), ("S3_2", "S3_7", "S3_8"), ("S3_1",))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("S3_1,S3_11,S3_12\tS3_8", "S3_2,S3_11\tS3_8", "group A: specimen S3_2 is in both testing"),
        ("\tS3_8\n", "\tS3_12\n", "group A: specimen S3_12 is in both training and validation"),
        ("A\tS3_2,S3_7", "A\tS3_2", "specimen S3_7 is tested by no group"),
        ("B\tS3_1,S3_8", "B\tS3_1,S3_8,S3_11", "group B: specimen S3_11 is in both"),
        ("S3_2,S3_11,S3_12\tS3_7", "S3_2,S3_11,S4\tS3_7", "group B: training names .* S4"),
        ("A\tS3_2,S3_7", "A\t", "group A: its testing set is empty"),
        ("\tS3_8\n", "\t\n", "group A: its validation set is empty"),
        ("B\tS3_1,S3_8\tS3_2", "B\tS3_1,S3_8,S3_2\tS3_7", "S3_7 is in both|S3_2 is tested 2"),
    ],
)
def test_bad_groups_are_refused(tmp_path, old, new, message):
    assert old in TABLE_1
    groups = read_groups(table(tmp_path, TABLE_1.replace(old, new, 1)))
    with pytest.raises(InputError, match=message):
        check_groups(groups, THESIS)


def test_specimen_tested_twice_names_the_groups():
    groups = {
        "A": Group("A", ("x",), ("y",), ("z",)),
        "B": Group("B", ("x", "y"), ("z",), ("w",)),
        "C": Group("C", ("z", "w"), ("y",), ("x",)),
    }
    with pytest.raises(InputError, match=r"specimen x is tested 2 times \(group A, B\)"):
        check_groups(groups, "xyzw")


def test_repeated_group_is_refused(tmp_path):
    with pytest.raises(InputError, match="group A stands in two rows"):
        read_groups(table(tmp_path, TABLE_1.replace("B\t", "A\t")))


@pytest.mark.parametrize(
    ("count", "k", "validation"), [(6, 2, 1), (23, 2, 3), (7, 3, 1), (5, 1, 2)]
)
def test_made_groups_test_everyone_once(count, k, validation):
    names = [f"F{number:02}" for number in range(count)]
    groups = make_groups(names, k, validation, seed=7)
    check_groups(groups, names)
    assert [len(group.testing) for group in groups.values()][:-1] == [k] * (len(groups) - 1)
    for group in groups.values():
        assert len(group.validation) == validation
        assert {*group.testing, *group.training, *group.validation} == set(names)
    assert make_groups(names, k, validation, seed=7) == groups
    assert make_groups(names, k, validation, seed=8) != groups


def test_groups_are_named_as_spreadsheet_columns():
    groups = make_groups([f"F{number}" for number in range(28)], 1, 1, seed=1)
    assert next(iter(groups)) == "A"
    assert [*groups][25:] == ["Z", "AA", "AB"]


@pytest.mark.parametrize(
    ("k", "validation", "message"),
    [(0, 1, "at least 1"), (2, 0, "at least 1"), (2, 2, "leaves none of 4 specimens to train on")],
)
def test_impossible_groups_are_refused(k, validation, message):
    with pytest.raises(InputError, match=message):
        make_groups("abcd", k, validation, seed=1)


def test_landmarks_along_the_cochlea_are_optional(tmp_path):
    table = tmp_path / "specimens.tsv"
    rows = ["specimen\tct\tmicroct\telectrodes", "H1\ta\tb\tH1.mrk.json", "H2\ta\tb\t"]
    table.write_text("\n".join(rows) + "\n")
    specimens = read_specimens(table, FOLDER, "right")
    assert specimens["H1"].electrodes == FOLDER / "H1.mrk.json"
    assert specimens["H2"].electrodes is None


def test_what_a_row_states_goes_before_what_is_stated_of_all(tmp_path):
    path = table(tmp_path, "specimen\tct\tmicroct\tmicroct_stated\n"
                 "S1\ta\tb\tbelieve=sform unit=um\nS2\ta\tb\t\n")  # fmt: skip
    of_all = Stated(orientation="RAS", unit="mm")
    ears = read_specimens(path, FOLDER, "right", microct_stated=of_all)
    assert ears["S1"].microct_stated == Stated("RAS", "sform", "um")
    assert ears["S2"].microct_stated == of_all
    assert ears["S1"].ct_stated == NOTHING_STATED


def test_a_statement_that_says_nothing_is_refused_with_its_ear(tmp_path):
    path = table(tmp_path, "specimen\tct\tmicroct\tct_stated\nS1\ta\tb\torientation=LRS\n")
    with pytest.raises(InputError, match=r"table\.tsv: specimen S1: .*orientation has three"):
        read_specimens(path, FOLDER, "right")
