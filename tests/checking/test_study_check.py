"""A lab's study is looked at before anything runs: all problems at once, with pictures."""

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.checking.study_check import check_ears, read_configuration, read_study
from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.volumes.writing import write_volume

BASE = Path(__file__).parents[2] / "config.yaml"
OVERLAY = """
study: mylab
label: test volumes
data: {{source: files, folder: {folder}, specimens: "{{folder}}/specimens.tsv"}}
groups: {{table: null, leave_out: 1}}
patches: {{size: 16, overlap: 4}}
"""
TABLE = "specimen\tside\tct\tmicroct\tinitial_transform\n"


def scan(edge: int, spacing_mm: float, low: float, high: float) -> sitk.Image:
    values = np.random.default_rng(edge).uniform(low, high, (edge,) * 3).astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((spacing_mm,) * 3)
    return image


@pytest.fixture
def lab(tmp_path):
    """Three sound pairs; returns a function that writes the overlay and the table."""
    for name in ("e1", "e2", "e3"):
        write_volume(scan(20, 0.6, -1000, 2000), tmp_path / f"{name}/ct.nii.gz")
        write_volume(scan(40, 0.25, 0, 1), tmp_path / f"{name}/microct.nii.gz")

    def write(**rows: str) -> Path:
        cells = {n: f"{n}/ct.nii.gz\t{n}/microct.nii.gz\t" for n in ("e1", "e2", "e3")} | rows
        lines = "".join(f"{name}\tleft\t{row}\n" for name, row in cells.items())
        (tmp_path / "specimens.tsv").write_text(TABLE + lines)
        overlay = tmp_path / "mylab.yaml"
        overlay.write_text(OVERLAY.format(folder=tmp_path))
        return overlay

    return write


def check(overlay: Path):
    study, specimens, _ = read_study([overlay], BASE)
    return {ear.specimen.name: ear for ear in check_ears(study, specimens)}


def test_overlays_change_the_keys_that_they_state(tmp_path):
    (tmp_path / "a.yaml").write_text("study: a\npatches: {size: 16}\n")
    (tmp_path / "b.yaml").write_text("patches: {overlap: 2}\n")
    merged = read_configuration([tmp_path / "a.yaml", tmp_path / "b.yaml"], BASE)
    assert merged["study"] == "a"
    assert merged["patches"] == {"size": 16, "overlap": 2, "min_mask_fraction": 0.05}


def test_a_sound_study_passes_and_its_page_shows_every_scan(lab, tmp_path, capsys):
    overlay = lab()
    out = tmp_path / "out"
    assert main(["check", str(overlay), "--base", str(BASE), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3 ears in 3 groups" in printed
    assert "20 × 20 × 20 voxels of 0.6 × 0.6 × 0.6 mm" in printed
    assert "0 problem(s)" in printed
    page = (out / "check.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "://" not in page


def test_all_problems_are_told_at_once(lab, tmp_path, capsys):
    write_volume(scan(20, 0.6, 0, 4000), tmp_path / "e3/ct.nii.gz")
    (tmp_path / "e2/microct.nii.gz").write_bytes(b"no scan")
    overlay = lab(
        e1="e1/microct.nii.gz\te1/ct.nii.gz\t", e3="e3/ct.nii.gz\te1/microct.nii.gz\tpose.tfm"
    )
    status = main(["check", str(overlay), "--base", str(BASE), "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert status == 1
    for said in (
        "the two look swapped",
        "e2/microct.nii.gz: the compressed file is damaged",
        "next to no voxel between -1200 and -300",
        "is the ct of e1 as well",
        "the initial transform",
    ):
        assert said in printed
    page = (tmp_path / "out/check.html").read_text(encoding="utf-8")
    assert "Problem" in page
    assert '<a href="#e2">e2</a>: 1 problem(s), 0 warning(s)' in page


def test_an_initial_transform_the_wrong_way_round_is_told(lab, tmp_path):
    away = sitk.Euler3DTransform()
    away.SetTranslation((40.0, 0.0, 0.0))
    sitk.WriteTransform(away, str(tmp_path / "pose.tfm"))
    ears = check(lab(e2="e2/ct.nii.gz\te2/microct.nii.gz\tpose.tfm"))
    assert not ears["e1"].problems
    assert "covers 0% of the micro-CT" in ears["e2"].problems[0]


def test_a_scan_without_a_patch_is_told(lab, tmp_path):
    write_volume(scan(12, 0.25, 0, 1), tmp_path / "e2/microct.nii.gz")
    ears = check(lab())
    assert "12 voxels along its shortest edge" in ears["e2"].problems[0]
    assert not ears["e2"].warnings


def test_a_small_field_of_view_is_pointed_out(lab, tmp_path):
    write_volume(scan(12, 0.6, -1000, 2000), tmp_path / "e2/ct.nii.gz")
    assert "smaller than the micro-CT's" in check(lab())["e2"].warnings[0]


def test_what_a_file_does_not_state_is_told_and_can_be_stated(lab, tmp_path, capsys):
    """Each ear has an oddity of its own; the table shows all scans, as they are in their files."""
    left_handed = sitk.Flip(scan(20, 0.6, -1000, 2000), (True, False, False))
    assert left_handed.GetDirection()[0] == -1
    write_volume(left_handed, tmp_path / "e1/ct.nii.gz")
    sitk.WriteImage(scan(40, 0.25, 0, 1), tmp_path / "e2/microct.mha")
    text = (tmp_path / "e2/microct.mha").read_bytes()
    for key in (b"TransformMatrix", b"AnatomicalOrientation"):
        text = re.sub(key + rb" = .*\n", b"", text)
    (tmp_path / "e2/microct.mha").write_bytes(text)
    overlay = lab(e2="e2/ct.nii.gz\te2/microct.mha\t")
    ears = check(overlay)
    assert not ears["e1"].problems
    assert "axes are left-handed; they are made right-handed" in ears["e1"].warnings[0]
    assert ears["e1"].facts[0].handedness == "left-handed in the file"
    assert "states no orientation" in ears["e2"].problems[0]
    stated = tmp_path / "stated.yaml"
    stated.write_text("data: {microct_stated: orientation=LPS}\n")
    command = ["check", str(overlay), str(stated), "--base", str(BASE), "--out", str(tmp_path)]
    assert main(command) == 0
    assert "LPS is stated for it" in capsys.readouterr().out
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "<td>metaimage</td>" in page
    assert page.count("<td>right-handed</td>") == 5


def test_a_field_of_view_of_no_scanner_is_pointed_out(lab, tmp_path):
    write_volume(scan(40, 0.03, 0, 1), tmp_path / "e2/microct.nii.gz")
    assert "its field of view is 1.2 × 1.2 × 1.2 mm, outside 2 to" in check(lab())["e2"].warnings[0]


def test_padding_is_told_and_covers_nothing(lab, tmp_path):
    ct = scan(20, 0.6, -1000, 2000)
    ct[:, :, :15] = -2000.0
    write_volume(ct, tmp_path / "e2/ct.nii.gz")
    sitk.WriteTransform(sitk.Euler3DTransform(), str(tmp_path / "pose.tfm"))
    ears = check(lab(e2="e2/ct.nii.gz\te2/microct.nii.gz\tpose.tfm"))
    assert ears["e2"].facts[0].padding == "-2000 (75.0% of the voxels), left out"
    # What was measured of the CT begins at 9 mm, where the micro-CT all but ends.
    assert "less than registration.min_overlap" in ears["e2"].problems[0]
    assert {fact.padding for fact in ears["e1"].facts} == {"none"}


def test_configurations_of_other_editors_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("label: Öhren\n", encoding="utf-16")
    assert read_configuration([tmp_path / "a.yaml"], BASE)["label"] == "Öhren"
    (tmp_path / "a.yaml").write_text("label: Öhren\n", encoding="cp1252")
    with pytest.raises(InputError, match=r"a.yaml: line 1 is not UTF-8"):
        read_configuration([tmp_path / "a.yaml"], BASE)


def test_the_phantom_has_no_scans_to_read(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(BASE.parent)
    overlay = tmp_path / "more.yaml"
    overlay.write_text("seed: 2\n")
    assert main(["check", str(overlay)]) == 0
    assert "makes its own ears" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must hold keys and values"),
        ("a: [", "is not valid YAML"),
        ("studdy: x", "studdy: unknown key"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path, text, message):
    overlay = tmp_path / "mylab.yaml"
    overlay.write_text(text)
    with pytest.raises(InputError, match=message):
        read_study([overlay], BASE)


def test_a_missing_configuration_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml: no such file"):
        read_configuration([tmp_path / "none.yaml"], BASE)
