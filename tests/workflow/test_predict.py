"""A real study's model predicts an ear that the study has never seen."""

import json

from otosynth.cli import main


def test_a_finished_study_predicts_a_new_ear(finished, tmp_path, monkeypatch):
    """The miniature's multi-task block is down-sampled by 2."""
    monkeypatch.chdir(finished.folder)
    ear, out = tmp_path / "ear", tmp_path / "out"
    coarse = ["--spacing", "0.4", "--size", "13"]
    assert main(["phantom", "--out", str(ear), "--name", "N1", "--side", "left", *coarse]) == 0
    command = ["predict", str(ear / "ct.nii.gz"), "--model", "miniature/multi_task"]
    assert main([*command, "--out", str(out)]) == 0
    record = json.loads((out / "prediction.json").read_text())
    assert record["side"] == "left"
    assert len(record["model"]["members"]) == 3
    assert (out / "quality.png").is_file()
