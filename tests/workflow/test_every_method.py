"""Every method through the real DAG: trained, selected, predicting and scored on one tested ear."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from workflow_copy import MINIATURE, ROOT, copy_workflow

from otosynth.audit.leaks import find_leaks
from otosynth.provenance.places import Places
from otosynth.provenance.tree import read_records

STUDY = yaml.safe_load((ROOT / "tests/workflow/every-method.yaml").read_text())
ATLASES = ("atlas", "atlas_weighted", "atlas_staple")
TRAINED = [n for n, block in STUDY["methods"].items() if block and n != "microct_segmentor"]
CLASSES_ONLY = (*ATLASES, "dyn_unet", "super_resolution")
GROUPS = (
    "group\ttesting\ttraining\tvalidation\n"
    "A\tE1,E2,E3\tE4,E5\tE6\n"
    "B\tE4,E5,E6\tE1,E2\tE3\n"
)  # fmt: skip
TESTED = "E1"
TRAINING_EARS = {"E4", "E5"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One tested ear, scored by every method."""
    workflow = copy_workflow(tmp_path_factory.mktemp("every"), "config/every-method.yaml")
    config = workflow.folder / "config"
    miniature = yaml.safe_load((workflow.folder / MINIATURE).read_text())
    (config / "every-method.yaml").write_text(yaml.safe_dump(merged(miniature, STUDY)))
    (config / "every-method_groups.tsv").write_text(GROUPS)
    ears = [f"E{k}\t{'left' if k == 5 else 'right'}" for k in range(1, 7)]
    (config / "every-method_specimens.tsv").write_text("\n".join(["specimen\tside", *ears]) + "\n")
    seeds = dict.fromkeys(ATLASES, 0) | dict.fromkeys(TRAINED, 1)
    scores = [f"scores/{TESTED}/{method}/seed-{seed}.csv" for method, seed in seeds.items()]
    workflow.output_of(*(f"results/every-method/{path}" for path in scores))
    return workflow


def merged(base: dict, change: dict) -> dict:
    result = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def scores_of(study, method):
    seed = 0 if method in ATLASES else 1
    return pd.read_csv(study.results / f"scores/{TESTED}/{method}/seed-{seed}.csv")


@pytest.mark.parametrize("method", [*ATLASES, *TRAINED])
def test_every_method_is_scored_in_every_class(study, method):
    rows = scores_of(study, method).query("grid == 'microct'")
    dice = rows.query("metric == 'dice'").set_index("class")["value"]
    assert sorted(dice.index) == ["air", "bone", "soft"]
    assert dice.between(0, 1).all()
    measured = set(rows["metric"])
    of_microcts = {"psnr_db", "psnr_local_db", "ssim_local", "pixel_accuracy", "s_score",
                   "perceptibility_dice"}  # fmt: skip
    assert of_microcts <= measured if method not in CLASSES_ONLY else not of_microcts & measured


def test_votes_that_are_fused_otherwise_differ(study):
    votes = {(study.results / f"atlas/{TESTED}/{fusion}.nii.gz").read_bytes()
             for fusion in ("majority", "locally_weighted", "staple")}  # fmt: skip
    assert len(votes) == 3


def test_a_block_that_borrows_weights_is_not_trained_and_predicts_otherwise(study):
    trainings = {path.name for path in (study.results / "training/A").iterdir()}
    assert "multi_task" in trainings
    borrower = study.results / "training/A/multi_task_samples/seed-1"
    assert [path.name for path in borrower.iterdir()] == ["temperature.json"]
    folder = study.results / f"predictions/{TESTED}"
    names = {path.name for path in (folder / "multi_task_samples/seed-1").iterdir()}
    assert {"confidence.nii.gz", "uncertainty.nii.gz"} <= names
    first, second = (
        (folder / name / "seed-1/microct.nii.gz").read_bytes()
        for name in ("multi_task", "multi_task_samples")
    )
    assert first != second


def test_the_classes_of_s_a_stand_beside_those_of_s_b(study):
    folder = study.results / f"predictions/{TESTED}"
    by_s_b, by_s_a = (folder / f"{name}/seed-1" for name in ("cycle_shape", "cycle_shape_ct"))
    assert (by_s_b / "microct.nii.gz").read_bytes() == (by_s_a / "microct.nii.gz").read_bytes()
    assert (by_s_b / "classmap.nii.gz").read_bytes() != (by_s_a / "classmap.nii.gz").read_bytes()


def test_no_method_learned_from_the_tested_ears(study):
    tree = read_records(Places(study.results, None, study.folder))
    leaks, predictions = find_leaks(tree)
    # Each trained method predicts; those with a micro-CT are also seen by the segmentor.
    assert predictions == 1 + len(TRAINED) + len(set(TRAINED) - set(CLASSES_ONLY))
    assert leaks == []
    for job, record in tree.records.items():
        if record["rule"] == "make_prior":
            atlases = {name.split("/")[1] for name in record["inputs"] if "microct.nii" in name}
            # A training ear must not see its own micro-CT either.
            assert atlases == TRAINING_EARS - {record["wildcards"]["specimen"]}, job


def test_a_prior_of_a_tested_ear_that_saw_its_micro_ct_is_a_leak(study, tmp_path):
    results = tmp_path / "results/every-method"
    shutil.copytree(study.results / "records", results / "records")
    prior = next((results / "records/make_prior").glob(f"*-{TESTED}.json"))
    record = json.loads(prior.read_text())
    made = json.loads((results / f"records/register_pair/{TESTED}.json").read_text())["outputs"]
    name = f"specimens/{TESTED}/microct.nii"
    record["inputs"][name] = made[name]
    prior.write_text(json.dumps(record))
    leaks, _ = find_leaks(read_records(Places(results, None, study.folder)))
    assert {leak.prediction.split("-")[1] for leak in leaks} >= {"cg_samr", "ucg_samr"}


def test_the_whole_study_can_be_planned(study):
    planned = study.output_of("--dry-run")
    assert "measure_calibration" in planned
    assert "compare_methods" in planned
