"""`otosynth predict` from the command line: what it writes, and what it refuses."""

import json

import pytest
import SimpleITK as sitk

from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.prediction import outputs
from otosynth.prediction.model_file import write_model
from otosynth.prediction.outputs import write_prediction
from otosynth.prediction.predict import predict_ct
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
    # The same command writes the same files again, and nothing else stays.
    assert main([*command, "--format", "nifti"]) == 0
    again = json.loads((out / "prediction.json").read_text())
    kept = {name for name in names if not name.endswith(".nrrd")}
    assert {path.name for path in out.iterdir()} == kept
    assert again == record | {"files": {n: d for n, d in record["files"].items() if n in kept}}


@pytest.fixture(scope="module")
def prediction(model, new_ear):
    return predict_ct(new_ear.ct, model)


@pytest.mark.parametrize("earlier", [True, False])
def test_a_stopped_writing_leaves_the_folder_as_it_was(
    prediction, model, scan, tmp_path, monkeypatch, earlier
):
    out = tmp_path / "out"
    if earlier:
        write_prediction(prediction, model, scan, out)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_figure", stop)
    with pytest.raises(KeyboardInterrupt):
        write_prediction(prediction, model, scan, out, ["nifti"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert out.exists() == earlier


def test_a_folder_is_replaced_by_the_same_ct_s_prediction_only(
    prediction, model, scan, new_ear, tmp_path
):
    out = tmp_path / "out"
    write_prediction(prediction, model, scan, out, ["nifti"])
    outputs.check_folder(out, scan)
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(new_ear.ct + 1, str(other))
    with pytest.raises(InputError, match=r"holds the prediction of another CT \(ear7.nrrd\)"):
        outputs.check_folder(out, other)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="or other files beside it"):
        outputs.check_folder(out, scan)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{scan}"], "results/phantom/records/root.json is missing"),
        (["{scan}", "--model", "none.safetensors"], "none.safetensors: no such file"),
        (["none.nii.gz"], "none.nii.gz: no such file or folder"),
        (["{scan}", "--out", "{used}"], "is not empty and holds no prediction"),
        (["{scan}", "--out", "{used}/notes.txt/out"], "notes.txt is a file, and a folder"),
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
