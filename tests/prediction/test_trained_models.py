"""Models of studies and of files: the same networks, and messages for what is none."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from safetensors import safe_open

from otosynth.api import load_model
from otosynth.cli import main
from otosynth.errors import InputError
from otosynth.prediction.card import card_path, write_card
from otosynth.prediction.model_file import read_model, write_model
from otosynth.prediction.of_study import ModelName, read_study_model
from otosynth.prediction.predict import look_at
from otosynth.training.checkpoints import encode, read_tensors


def test_a_model_of_all_groups_has_their_members_and_training_ears(model):
    facts = model.facts
    assert facts.name == "tiny/multi_task"
    assert [(m.group, m.training, m.epoch) for m in facts.members] == [
        ("A", ("T1",), 2),
        ("B", ("T2",), 2),
    ]
    # The discriminator only trains.
    assert all(m.networks == ("generator",) for m in facts.members)
    assert all(name.startswith("generator.") for weights in model.weights for name in weights)
    assert facts.dice == {"air": 0.5, "soft": 0.6, "bone": 0.7}
    assert [r.ear for r in facts.references] == ["T1", "T2"]
    assert facts.references[0].ct_spacing_mm == pytest.approx((0.6, 0.6, 0.6))
    assert facts.references[0].grid.size == (28, 28, 28)


def test_ears_of_the_other_side_are_kept_as_the_networks_saw_them(model, studies):
    left = model.references[1].ct
    as_scanned = sitk.ReadImage(str(studies / "tiny/specimens/T2/ct.nii"))
    mirrored = sitk.GetArrayFromImage(as_scanned)[..., ::-1]
    grid = sitk.GetImageFromArray(mirrored)
    grid.CopyInformation(as_scanned)
    expected = sitk.GetArrayFromImage(sitk.Resample(grid, left, sitk.Transform()))
    found = sitk.GetArrayFromImage(left)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.95
    assert np.corrcoef(found[..., ::-1].ravel(), expected.ravel())[0, 1] < 0.8


def test_a_single_group_is_a_model_of_its_own(studies):
    model = load_model("tiny/B/multi_task", studies)
    assert model.facts.name == "tiny/B/multi_task"
    assert [r.ear for r in model.facts.references] == ["T2"]


def test_a_file_gives_back_the_model_and_the_same_bytes(model, tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    write_model(model, files[0])
    again = load_model(files[0])
    write_model(again, files[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert again.digest == model.digest
    assert again.facts == model.facts
    with safe_open(files[0], "np") as file:
        assert list(file.metadata()) == ["otosynth"]


def test_weights_of_other_networks_are_refused_before_the_work(model, new_ear, tmp_path):
    """As of a study that an earlier version trained."""
    names = sorted(model.weights[1])
    others = {n: t for n, t in model.weights[1].items() if n != names[0]} | {
        "generator.x": torch.zeros(1)
    }
    older = replace(model, weights=(model.weights[0], others))
    message = rf"do not fit the networks that this version .*\({names[0]} is the first of 2 "
    with pytest.raises(InputError, match=message):
        look_at(new_ear.ct, older)
    with pytest.raises(InputError, match="Another version trained it"):
        write_model(older, tmp_path / "older.safetensors")
    assert not list(tmp_path.iterdir())


def test_export_writes_the_file_and_a_card(studies, tmp_path, capsys):
    file = tmp_path / "tiny.safetensors"
    assert main(["export", "tiny/A/multi_task", "--out", str(file), "--results", str(studies)]) == 0
    card = card_path(file).read_text(encoding="utf-8")
    for said in ("phantom, tiny", "predicted, not measured", "T1", "air 0.50", "0.6 × 0.6 × 0.6"):
        assert said in card
    assert "None" not in card
    assert read_model(file).digest in card
    assert "1 member(s)" in capsys.readouterr().out


def test_a_card_needs_its_model(model, tmp_path):
    with pytest.raises(InputError, match="write the model before its card"):
        write_card(model, tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny", "names no model"),
        ("a/b/c/d", "names no model"),
        ("other/multi_task", "not finished, or not in"),
        ("tiny/unknown", "has no trained method 'unknown'. It has: multi_task, cg_samr"),
        ("tiny/Z/multi_task", "has no group 'Z' of multi_task. It has: A, B"),
    ],
)
def test_what_is_no_model_is_said(studies, name, message):
    with pytest.raises(InputError, match=message):
        read_study_model(ModelName.parse(name), studies)


def test_a_training_without_a_selected_epoch_is_refused(studies, tmp_path):
    shutil.copytree(studies / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny/training/B/multi_task/seed-1/selected.json").unlink()
    with pytest.raises(InputError, match=r"selected.json: missing"):
        read_study_model(ModelName.parse("tiny/multi_task"), tmp_path)


def test_a_checkpoint_that_its_training_did_not_leave_is_refused(studies, tmp_path):
    shutil.copytree(studies / "tiny", tmp_path / "tiny")
    folder = tmp_path / "tiny/training/B/multi_task/seed-1/checkpoints"
    shutil.copyfile(folder / "epoch-0001.safetensors", folder / "epoch-0002.safetensors")
    with pytest.raises(
        InputError, match=r"epoch-0002\.safetensors: not the file that its training"
    ):
        read_study_model(ModelName.parse("tiny/multi_task"), tmp_path)


def test_a_voxel_size_that_nobody_knows_is_no_voxel_size(studies, tmp_path):
    shutil.copytree(studies / "tiny", tmp_path / "tiny")
    shutil.rmtree(tmp_path / "tiny/phantom")
    found = read_study_model(ModelName.parse("tiny/A/multi_task"), tmp_path)
    assert found.facts.references[0].ct_spacing_mm is None


def test_a_file_that_is_no_model_is_refused(model, studies, tmp_path):
    checkpoint = studies / "tiny/training/A/multi_task/seed-1/checkpoints/epoch-0002.safetensors"
    with pytest.raises(InputError, match="is a checkpoint of a training, not an exported model"):
        read_model(checkpoint)
    with pytest.raises(InputError, match="no such file"):
        read_model(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"ends in \.safetensors"):
        write_model(model, tmp_path / "model.pt")
    (tmp_path / "text.safetensors").write_text("no model")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_model(tmp_path / "text.safetensors")


def test_a_changed_or_later_file_is_refused(model, tmp_path):
    file = tmp_path / "model.safetensors"
    write_model(model, file)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match="is damaged or was changed"):
        read_model(file)
    write_model(model, file)
    tensors, facts = read_tensors(file)
    file.write_bytes(encode(tensors, facts | {"model": facts["model"] | {"format": 99}}))
    with pytest.raises(InputError, match="model format 99"):
        read_model(file)
    # A bit of the facts' own text, within the header that safetensors reads.
    write_model(model, file)
    file.write_bytes(file.read_bytes().replace(b'{\\"model\\"', b'x\\"model\\"', 1))
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_model(file)
    file.write_bytes(encode(tensors, facts | {"model": facts["model"] | {"members": "none"}}))
    with pytest.raises(InputError, match="its facts are not valid"):
        read_model(file)
