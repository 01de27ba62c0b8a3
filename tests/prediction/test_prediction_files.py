"""`otosynth predict` from the command line: what it writes, and what it refuses."""

import json

import pytest
import SimpleITK as sitk

from otosynth.cli import main
from otosynth.files import sha256_of
from otosynth.prediction.model_file import write_model
from otosynth.provenance.carried import carried_digest
from otosynth.volumes.reading import read_volume


@pytest.fixture(scope="module")
def scan(tmp_path_factory, new_ear):
    """The new ear's CT as NRRD."""
    path = tmp_path_factory.mktemp("scans") / "ear7.nrrd"
    sitk.WriteImage(new_ear.ct, str(path))
    return path


@pytest.fixture(scope="module")
def model_file(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    write_model(model, path)
    return path


def test_a_prediction_leaves_all_its_files_and_their_record(scan, model_file, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["predict", str(scan), "--model", str(model_file), "--out", str(out)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "Predicted as a right ear by tiny/multi_task" in printed
    assert "trained on: phantom, tiny" in printed
    names = {path.name for path in out.iterdir()}
    volumes = ("microct", "microct_std", "classmap", "uncertainty", "mask")
    assert names == {
        *(f"{name}{ending}" for name in volumes for ending in (".nii.gz", ".nrrd")),
        *("quality.png", "quality.pdf", "pose.tfm", "prediction.json"),
    }
    record = json.loads((out / "prediction.json").read_text())
    assert record["side"] == "right"
    assert set(record["files"]) == names - {"prediction.json"}
    for name, digest in record["files"].items():
        assert sha256_of(out / name) == digest
    assert record["ct"] == {"ear7.nrrd": sha256_of(scan)}
    assert carried_digest(out / "quality.png") == carried_digest(out / "quality.pdf")
    nifti, nrrd = (read_volume(out / f"microct{ending}") for ending in (".nii.gz", ".nrrd"))
    assert nifti.GetOrigin() == pytest.approx(nrrd.GetOrigin(), abs=1e-4)
    # The same command writes the same files again.
    assert main(command) == 0
    assert json.loads((out / "prediction.json").read_text()) == record


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{scan}"], "results/phantom/records/root.json is missing"),
        (["{scan}", "--model", "none.safetensors"], "none.safetensors: no such file"),
        (["none.nii.gz"], "none.nii.gz: no such file or folder"),
        (["{scan}", "--out", "{used}"], "is not empty and holds no prediction"),
    ],
)
def test_what_cannot_be_predicted_is_one_message(
    scan, tmp_path, monkeypatch, capsys, arguments, message
):
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    filled = [word.format(scan=scan, used=tmp_path / "used") for word in arguments]
    assert main(["predict", *filled]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert message in error
    assert "Traceback" not in error
