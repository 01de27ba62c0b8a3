"""The study in miniature: everything is made, nothing is made twice, the same bytes every time."""

import json
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from workflow_copy import ROOT, Workflow, copy_workflow, digests

# What every table has a row for, and the kinds of the rows.
ROWS = {
    **dict.fromkeys(
        ("ct_otsu", "ct_thresholds", "deconvolved_otsu", "deconvolved_thresholds"), "yardstick"
    ),
    "atlas": "atlas",
    **dict.fromkeys(("single_task", "multi_task", "residual_unet"), "trained"),
    **dict.fromkeys(("exact_classes", "blurred_microct_otsu"), "ceiling"),
}


def test_every_figure_and_table_is_there(finished):
    for number in range(1, 13):
        for suffix in ("png", "pdf"):
            assert (finished.results / f"figures/fig{number}.{suffix}").stat().st_size > 1000
    for number in range(1, 4):
        for suffix in ("csv", "md"):
            assert (finished.results / f"tables/table{number}.{suffix}").is_file()


def test_every_specimen_is_scored_by_every_method_in_every_class(finished):
    dice = pd.read_csv(finished.results / "tables/dice.csv")
    assert list(dice.columns) == [
        "study", "group", "specimen", "method", "kind", "class", "dice", "inputs_sha256",
    ]  # fmt: skip
    assert len(dice) == 3 * len(ROWS) * 3
    assert dice.drop_duplicates("method").set_index("method")["kind"].to_dict() == ROWS
    assert dice["dice"].between(0, 1).all()
    scores = pd.read_csv(finished.results / "tables/scores.csv")
    assert set(scores["label"]) == {"phantom in miniature"}
    assert set(scores.query("method == 'multi_task'")["grid"]) == {"microct", "own", "field"}
    assert len(scores.query("metric == 'mean_dice' and grid == 'microct'")) == 3 * len(ROWS)


def test_yardsticks_are_learnt_on_training_ears_and_applied_to_tested_ones(finished):
    learned = json.loads((finished.results / "groups/A/yardsticks.json").read_text())
    assert learned["training"] == ["E2"]
    # The phantom's CTs have a point spread of 0.5 mm, and here voxels of 0.6 mm.
    assert 0.4 < learned["point_spread_mm"] < 0.8
    for values in ("ct", "deconvolved_ct"):
        first, second = learned[values]["thresholds_hu"]
        assert -1000 < first < second < 2000
        assert 0.5 < learned[values]["training_mean_dice"] <= 1
    maps = sorted(path.name for path in (finished.results / "yardsticks/E1").iterdir())
    assert maps == sorted(
        f"{name}.nii.gz" for name, kind in ROWS.items()
        if kind == "yardstick" or name == "blurred_microct_otsu"
    )  # fmt: skip
    assert len({(finished.results / f"yardsticks/E1/{name}").read_bytes() for name in maps}) > 3


def test_the_summary_says_which_methods_do_not_beat_the_yardsticks(finished):
    page = (finished.results / "tables/summary.md").read_text()
    # Networks of eight steps beat nothing.
    assert "Multi-task does not beat " in page
    assert "mean Dice at the cochlea (" in page
    assert "Exact classes does not" not in page
    comparison = pd.read_csv(finished.results / "tables/comparison.csv")
    assert set(comparison["method"]) == {
        name for name, kind in ROWS.items() if kind != "ceiling" and name != "atlas"
    }
    report = (finished.results / "report.html").read_text(encoding="utf-8")
    assert "Two thresholds on CT (yardstick)" in report
    assert "Multi-task does not beat " in report


def test_every_specimen_is_scored_at_the_cochlea(finished):
    table = pd.read_csv(finished.results / "tables/cochlear_dice.csv").fillna({"class": ""})
    assert len(table) == 3 * len(ROWS) * 3
    assert table["cochlear_dice"].between(0, 1).all()
    by_class = table.pivot(index=["specimen", "method"], columns="class", values="cochlear_dice")
    assert by_class[""].to_numpy() == pytest.approx(by_class[["soft", "bone"]].mean(axis=1))
    whole = pd.read_csv(finished.results / "tables/dice.csv").query("`class` == 'soft'")
    whole = whole.set_index(["specimen", "method"])["dice"]
    assert (by_class["soft"] - whole).abs().max() > 0.01, "the region is to be another one"
    for name in ("summary", "comparison"):
        metrics = set(pd.read_csv(finished.results / f"tables/{name}.csv")["metric"])
        assert metrics == {"dice", "mean_dice", "cochlear_dice", "cochlear_mean_dice"}
    measures = pd.read_csv(finished.results / "tables/measures.csv")
    assert measures["cochlear_mean_dice"].between(0, 1).all()
    notes = (finished.results / "tables/summary.md").read_text()
    assert "within 0.5 mm of the scalae: by the phantom's exact structures." in notes
    page = (finished.results / "report.html").read_text(encoding="utf-8")
    assert "Dice at the cochlea, within 0.5 mm of the scalae" in page


@pytest.mark.parametrize("factor", [1, 2])
def test_patches_tell_how_much_of_the_cochlea_they_hold(finished, factor):
    folder = finished.results / "specimens/E1"
    folder = folder if factor == 1 else folder / f"x{factor}"
    region, mask = (
        nibabel.load(folder / f"{name}.nii").get_fdata() for name in ("cochlea", "mask")
    )
    # About the same part of the volume on either grid.
    assert 0.02 < region.mean() < 0.1
    table = pd.read_csv(finished.results / f"groups/A/patches/x{factor}/testing.tsv", sep="\t")
    # E1 is of the working side: no axis runs backwards.
    for row in table.itertuples():
        at = tuple(slice(corner, corner + row.size) for corner in (row.x, row.y, row.z))
        assert row.cochlea == np.count_nonzero(region[at] * mask[at])
    assert table["cochlea"].max() > 0


def test_registration_finds_the_known_pose(finished):
    table = pd.read_csv(finished.results / "tables/registration.csv")
    assert (table["initialisation"] == "automatic search").all()
    assert table["tre_mean_mm"].max() < 0.1


def test_registered_atlases_lie_on_the_labyrinth(finished):
    table = pd.read_csv(finished.results / "tables/atlases.csv")
    assert (table["specimen"] != table["atlas"]).all()
    assert (table["compared"] == "labyrinth").all()
    assert table["dice"].min() > 0.5
    assert table["offset_mm"].max() < 0.6


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.output_of()


def test_the_same_bytes_with_another_number_of_cores(finished, tmp_path_factory):
    again = copy_workflow(tmp_path_factory.mktemp("again"))
    again.output_of("--cores", "4")
    first, second = digests(finished.results), digests(again.results)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_no_tested_ear_reaches_the_training_of_its_group(finished, tmp_path):
    """Spoil a tested ear beyond recognition: its group trains to the same bytes."""
    spoiled = Workflow(tmp_path / "spoiled")
    shutil.copytree(finished.folder, spoiled.folder)
    for name in ("ct", "microct", "classmap", "mask"):
        path = spoiled.results / f"specimens/E1/{name}.nii"
        header, voxels = path.read_bytes()[:352], path.read_bytes()[352:]
        path.write_bytes(header + bytes(reversed(voxels)))
    shutil.rmtree(spoiled.folder / ".state")
    files = ["groups/A/normalisation.json", "training/A/multi_task/seed-1/history.tsv",
             "training/A/multi_task/seed-1/selected.json"]  # fmt: skip
    targets = [f"results/miniature/{file}" for file in files]
    rules = ["compute_normalisation", "tabulate_patches", "train", "select_epoch"]
    output = spoiled.output_of(*targets, "--forcerun", *rules)
    assert "Training multi_task on group A" in output
    for file in [*files, "training/A/multi_task/seed-1/checkpoints/epoch-0002.safetensors"]:
        assert (spoiled.results / file).read_bytes() == (finished.results / file).read_bytes()


@pytest.mark.parametrize("method", ["single_task", "multi_task"])
def test_checkpoints_load_without_pickle_and_say_their_epoch(finished, method):
    folder = finished.results / f"training/A/{method}/seed-1/checkpoints"
    files = sorted(folder.glob("*.safetensors"))
    assert [file.name for file in files] == ["epoch-0001.safetensors", "epoch-0002.safetensors"]
    with safe_open(files[1], framework="pt") as file:
        facts = json.loads(file.metadata()["otosynth"])
        assert (facts["epoch"], facts["precision"]) == (2, "float32")
        assert [list(ears) for ears in facts["fold"].values()] == [["E2"], ["E3"]]
        names = file.keys()
        assert {name.split(".")[0] for name in names} == {"generator", "discriminator"}


def test_confidence_is_scaled_on_the_validation_ears_and_measured(finished):
    folder = finished.results / "training/A/residual_unet/seed-1"
    fitted = json.loads((folder / "temperature.json").read_text())
    assert fitted["voxels"] > 100
    assert 0.1 < fitted["temperature"] < 10
    table = pd.read_csv(finished.results / "tables/uncertainty.csv")
    assert table["method"].tolist() == ["Residual U-Net"] * 2
    assert table["region"].tolist() == ["all", "near borders"]
    assert table["ece"].between(0, 1).all()
    assert table["error_detection"].between(0, 1).all()
    names = {p.name for p in (finished.results / "predictions/E1/residual_unet/seed-1").iterdir()}
    assert names == {
        "microct.nii.gz", "classmap.nii.gz", "confidence.nii.gz", "uncertainty.nii.gz",
    }  # fmt: skip


def test_the_report_is_one_file_with_every_figure(finished):
    finished.output_of("--report", "report.html")
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    for number in range(1, 9):
        assert f"fig{number}.png" in page
    for name in ("dice.csv", "scores.csv", "registration.csv"):
        assert name in page


def test_the_rule_graph_in_the_docs_is_the_workflow_s(finished):
    graph = finished.snakemake("--rulegraph", "mermaid-js", "--forceall", overlay="").stdout
    page = (ROOT / "docs/rulegraph.md").read_text()
    drawn, documented = (
        {line for line in text.splitlines() if line.startswith("\tid")} for text in (graph, page)
    )
    assert len(drawn) > 50
    assert drawn == documented, "run `make docs`"


def test_every_prediction_has_an_electric_field(finished):
    scores = pd.read_csv(finished.results / "tables/scores.csv").fillna({"class": ""})
    field = scores[scores["grid"] == "field"]
    of_arrays = field[(field["class"] == "") & (field["metric"] == "field_contacts_lost")]
    assert len(of_arrays) == 3 * len(ROWS)
    of_contacts = field[(field["class"] != "") & (field["metric"] == "field_error")]
    assert len(of_contacts) == 3 * len(ROWS) * 12
    truth = pd.read_csv(finished.results / "field/E1/microct/seed-0/potentials.csv")
    assert (truth.drop(columns="site").max() > 0).all()
    for number in (11, 12):
        assert (finished.results / f"figures/fig{number}.png").stat().st_size > 1000
