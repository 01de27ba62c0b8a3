"""A study of files, some ears with landmarks: whose cochlea is known, and who may know of it."""

import json
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml
from workflow_copy import MINIATURE, copy_workflow

from otosynth.configuration.phantom import PhantomSettings

SIDES = {"E1": "right", "E2": "left", "E3": "right"}


@pytest.fixture
def lab(finished, tmp_path, phantom_landmarks):
    """The scans of the miniature study as a lab's files; E2 and E3 have landmarks, E1 has none."""
    workflow = copy_workflow(tmp_path / "lab")
    miniature = yaml.safe_load((workflow.folder / MINIATURE).read_text())
    settings = PhantomSettings(**miniature["phantom"])
    rows = ["specimen\tside\tct\tmicroct\telectrodes"]
    for ear, side in SIDES.items():
        shutil.copytree(finished.results / f"phantom/{ear}", tmp_path / f"scans/{ear}")
        landmarks = "" if ear == "E1" else f"{ear}/S.mrk.json"
        if landmarks:
            phantom_landmarks(ear, side, settings, 1, tmp_path / "scans" / landmarks)
        rows.append(f"{ear}\t{side}\t{ear}/ct.nii.gz\t{ear}/microct.nii.gz\t{landmarks}")
    (workflow.folder / "config/miniature_specimens.tsv").write_text("\n".join([*rows, ""]))
    return workflow, f'data={{"source": "files", "folder": "{tmp_path / "scans"}"}}'


def voxels(path):
    return np.asarray(nibabel.load(path).dataobj) > 0


def test_an_ear_without_landmarks_is_scored_where_its_atlases_say(lab, finished):
    workflow, data = lab
    files = ["scores/E1/atlas/seed-0.csv", "specimens/E1/cochlea.nii", "specimens/E3/cochlea.nii"]
    workflow.output_of(*(f"results/miniature/{file}" for file in files), "--config", data)
    results, exact = workflow.results, finished.results / "specimens"
    facts = json.loads((results / "atlas/E1/cochlea.json").read_text())
    assert (facts["source"], facts["atlases"]) == ("atlases", ["E2", "E3"])
    assert json.loads((results / "specimens/E3/cochlea.json").read_text())["source"] == "landmarks"
    for name, ear, least in (("atlas/E1", "E1", 0.4), ("specimens/E3", "E3", 0.7)):
        found, true = voxels(results / name / "cochlea.nii"), voxels(exact / ear / "cochlea.nii")
        assert 2 * np.sum(found & true) / (found.sum() + true.sum()) > least
    scores = pd.read_csv(results / "scores/E1/atlas/seed-0.csv")
    at_cochlea = scores[scores["metric"] == "cochlear_mean_dice"]["value"]
    assert at_cochlea.between(0, 1).tolist() == [True]
    # E2 and E3 are tested by other groups, which E1 helps to train: they must not tell it there.
    assert not voxels(results / "specimens/E1/cochlea.nii").any()


def test_the_whole_study_can_be_planned_and_no_training_waits_for_an_atlas(lab):
    workflow, data = lab
    plan = workflow.output_of("--dry-run", "--config", data)
    assert plan.count("Carrying the region at the cochlea from the atlases to E1") == 1
    assert plan.count("Carrying the region") == 1
    training = "results/miniature/training/B/single_task/seed-1/history.tsv"
    plan = workflow.output_of("--dry-run", training, "--config", data)
    assert "Marking the region at the cochlea of E1" in plan
    assert "Registering the atlases" not in plan


def test_ears_whose_cochlea_nothing_tells_are_named(lab):
    workflow, data = lab
    table = workflow.folder / "config/miniature_specimens.tsv"
    rows = [line.rpartition("\t")[0] for line in table.read_text().splitlines()]
    table.write_text("\n".join([*rows, ""]))
    assert "Carrying the region" not in workflow.output_of("--dry-run", "--config", data)
    # Snakemake says such things when it starts in earnest.
    output = workflow.output_of("results/miniature/tables/table1.csv", "--config", data)
    assert "No scores at the cochlea for E1, E2, E3: neither they nor their atlases" in output
