"""The audit of a finished study: nothing false is told, and nothing altered is missed."""

import json
import shutil
from collections import Counter

import pandas as pd
import pytest
from tampering import Tamperer, altered, forge
from workflow_copy import Workflow, copy_workflow

from otosynth.audit.leaks import find_leaks
from otosynth.audit.recompute import recompute
from otosynth.audit.verify import verify
from otosynth.cli import main
from otosynth.provenance import code
from otosynth.provenance.places import Places
from otosynth.provenance.tree import RecordTree, read_records, read_root

ALTERATIONS = 208
SEED = 4


def places_of(workflow: Workflow) -> Places:
    return Places(workflow.results, None, workflow.folder)


def forget_code() -> None:
    """Let scripts be parsed again: within a process their digests are computed once."""
    for cached in (code.outline_of, code.digest_of_code, code.code_files):
        cached.cache_clear()


@pytest.fixture
def study(finished, tmp_path) -> Workflow:
    """A copy of the finished study that may be altered."""
    shutil.copytree(finished.folder, tmp_path / "study")
    return Workflow(tmp_path / "study")


@pytest.fixture
def audit(finished, monkeypatch, capsys):
    """Run `otosynth audit` in the finished study; returns the exit status and what it said."""
    monkeypatch.chdir(finished.folder)

    def run(command, *arguments):
        status = main(["audit", command, "--results", "results/miniature", *arguments])
        output = capsys.readouterr()
        return status, output.out + output.err

    return run


def test_an_untouched_study_verifies_and_tells_its_root(finished, audit):
    root = read_root(places_of(finished))["root"]
    status, output = audit("verify", "--root", root)
    assert status == 0, output
    assert "Everything matches" in output
    assert root in output


def test_every_job_has_a_record_and_its_circumstances(finished):
    logs, records, circumstances = (
        {p.relative_to(finished.results / kind).with_suffix("").as_posix()
         for p in (finished.results / kind).rglob("*.*") if p.suffix in (".log", ".json")}
        for kind in ("logs", "records", "circumstances")
    )  # fmt: skip
    logs -= {"write_report"}  # it comes after the sealing and reads all records
    assert circumstances == logs
    assert records == (logs - {"seal_records"}) | {"root"}
    assert set(read_root(places_of(finished))["jobs"]) == records - {"root"}


def test_every_alteration_is_found_and_named(study):
    places = places_of(study)
    tamperer = Tamperer(places, SEED)
    missed, found = [], Counter()
    for number in range(ALTERATIONS):
        alteration = tamperer.kinds[number % len(tamperer.kinds)]()
        with altered(alteration):
            if alteration.kind == "edited code":
                forget_code()
            mismatches = verify(places, None, 2).mismatches
        if alteration.kind == "edited code":
            forget_code()
        told = {mismatch.name for mismatch in mismatches}
        if alteration.names <= told:
            found[alteration.kind] += 1
        else:
            missed.append((alteration.kind, alteration.names, told))
    assert missed == []
    assert len(found) == len(tamperer.kinds)
    assert verify(places, None, 2).mismatches == []


def test_what_depends_on_an_altered_file_is_told(study):
    path = study.results / "scores/E1/atlas/seed-0.csv"
    path.write_text(path.read_text().replace("0.", "0.9", 1))
    [mismatch] = verify(places_of(study), None, 2).mismatches
    assert mismatch.name == "scores/E1/atlas/seed-0.csv"
    assert mismatch.job == "score_prediction/E1-atlas-0"
    assert {"tables/dice.csv", "figures/fig7.png", "tables/table3.md"} <= set(mismatch.affected)
    assert "figures/fig1.png" not in mismatch.affected


def test_a_consistent_forgery_is_found_against_a_kept_root(study):
    places = places_of(study)
    kept = read_root(places)["root"]
    forge(places)
    assert verify(places, None, 2).mismatches == [], "the forgery is to be consistent"
    [mismatch] = verify(places, kept, 2).mismatches
    assert mismatch.name == "records/root.json"
    assert kept in mismatch.problem


def test_a_study_that_is_not_finished_is_refused(audit, tmp_path):
    status = main(["audit", "verify", "--results", str(tmp_path)])
    assert status == 1


def test_scores_are_recomputed_from_the_stored_predictions(finished):
    places = places_of(finished)
    differences, count = recompute(places, read_records(places))
    assert differences == []
    assert count == len(pd.read_csv(finished.results / "tables/scores.csv"))


def test_a_score_that_the_prediction_does_not_give_is_found(study):
    path = study.results / "tables/scores.csv"
    table = pd.read_csv(path)
    row = table.index[(table["metric"] == "hd95_mm") & table["value"].notna()][0]
    table.loc[row, "value"] *= 1.01
    table.to_csv(path, index=False)
    places = places_of(study)
    [difference] = recompute(places, read_records(places))[0]
    assert "hd95_mm" in difference.where


@pytest.mark.parametrize("line", ["invented", "twice"])
def test_a_score_that_no_prediction_has_is_found(study, line, monkeypatch, capsys):
    path = study.results / "tables/scores.csv"
    rows = path.read_text().splitlines()
    rows.append(rows[1].replace("dice", "hd99_mm") if line == "invented" else rows[1])
    path.write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(study.folder)
    assert main(["audit", "recompute", "--results", "results/miniature"]) == 1
    output = capsys.readouterr()
    assert ("hd99_mm" in output.out) or ("tells a score twice" in output.err)


@pytest.mark.parametrize(
    ("lost", "arguments"),
    [
        ("tables/table3.csv", ["trace", "table3", "E1", "Multi-task"]),
        ("scores/E1/atlas/seed-0.csv", ["trace", "fig7", "specimen=E1", "method=atlas"]),
        ("predictions/E1/multi_task/seed-1/microct.nii.gz", ["recompute"]),
        ("records/draw_dice.json", ["leaks"]),
        ("records/root.json", ["list"]),
        ("phantom/E1/ct.nii.gz", ["replay", "specimens/E1/ct.nii"]),
    ],
)
@pytest.mark.parametrize("how", ["deleted", "emptied", "damaged"])
def test_a_lost_or_damaged_file_gives_one_message(study, lost, arguments, how, monkeypatch, capsys):
    path = study.results / lost
    path.write_bytes({"emptied": b"", "damaged": b"\x80\x00not this", "deleted": b""}[how])
    if how == "deleted":
        path.unlink()
    monkeypatch.chdir(study.folder)
    command, *others = arguments
    assert main(["audit", command, "--results", "results/miniature", *others]) == 1
    output = capsys.readouterr()
    assert output.err.count("ERROR") == 1 or "NOT AS RECORDED" in output.out


def test_no_ear_taught_the_networks_that_predict_it(finished, audit):
    leaks, predictions = find_leaks(read_records(places_of(finished)))
    assert leaks == []
    # Of each ear: the vote, three networks, and all yardsticks at once.
    assert predictions == 3 * 5
    assert audit("leaks")[0] == 0


@pytest.mark.parametrize("name", ["specimens/E1/ct.nii", "specimens/elsewhere/copy.nii"])
def test_a_leak_is_found_by_name_or_by_bytes(finished, name):
    tree = read_records(places_of(finished))
    records = json.loads(json.dumps(tree.records))
    tested = records["register_pair/E1"]["outputs"]["specimens/E1/ct.nii"]
    records["train/A-multi_task-1"]["inputs"][name] = tested
    leaks, _ = find_leaks(RecordTree(records, tree.digests))
    assert {leak.prediction for leak in leaks} == {"predict/E1-multi_task-1"}
    assert all(leak.specimen == "E1" for leak in leaks)


def test_a_yardstick_that_learned_from_the_tested_ear_is_found(finished):
    tree = read_records(places_of(finished))
    records = json.loads(json.dumps(tree.records))
    name = "specimens/E1/classmap.nii"
    records["learn_thresholds/A"]["inputs"][name] = records[tree.maker[name]]["outputs"][name]
    leaks, _ = find_leaks(RecordTree(records, tree.digests))
    assert {leak.prediction for leak in leaks} == {"apply_yardsticks/E1"}
    # Also through the jobs that made the class map.
    assert "learn_thresholds/A" in {leak.through for leak in leaks}


@pytest.mark.parametrize(
    "prediction", ["vote_atlases/E2", "predict/E2-single_task-1", "apply_yardsticks/E2"]
)
@pytest.mark.parametrize("volume", ["classmap", "microct", "cochlea"])
def test_a_prediction_that_knew_the_truth_is_found(finished, prediction, volume):
    tree, name = read_records(places_of(finished)), f"specimens/E2/{volume}.nii"
    records = json.loads(json.dumps(tree.records))
    made = tree.records[tree.maker[name]]["outputs"][name]
    records[prediction]["inputs"][name] = made
    [leak] = find_leaks(RecordTree(records, tree.digests))[0]
    assert (leak.prediction, leak.through) == (prediction, prediction)


def test_an_empty_region_that_several_ears_have_is_no_leak(finished):
    tree = read_records(places_of(finished))
    records = json.loads(json.dumps(tree.records))
    empty = records["mark_cochlea/E1"]["outputs"]["specimens/E1/cochlea.nii"]
    train = records["train/A-single_task-1"]["inputs"]
    train["specimens/E2/cochlea.nii"] = empty
    [leak] = find_leaks(RecordTree(records, tree.digests))[0]
    assert leak.why == "read specimens/E2/cochlea.nii, which is specimens/E1/cochlea.nii of E1"
    records["mark_cochlea/E2"]["outputs"]["specimens/E2/cochlea.nii"] = empty
    assert find_leaks(RecordTree(records, tree.digests))[0] == []


def test_a_copied_raw_scan_is_a_leak_and_a_shared_slice_is_none(finished):
    tree = read_records(places_of(finished))
    records = json.loads(json.dumps(tree.records))
    tested, other = records["register_pair/E1"], records["register_pair/E2"]
    ct = tested["inputs"]["phantom/E1/ct.nii.gz"]
    # The CT of E1 as two slices, of which that of E2 has one.
    second = ct | {"sha256": "0" * 64}
    tested["inputs"]["second.dcm"] = second
    tested["roles"]["ct"] = ["phantom/E1/ct.nii.gz", "second.dcm"]
    other["inputs"]["same.dcm"] = ct
    assert find_leaks(RecordTree(records, tree.digests))[0] == []
    other["inputs"]["other.dcm"] = second
    leaks, _ = find_leaks(RecordTree(records, tree.digests))
    assert {leak.why for leak in leaks} == {"read the ct of E1"}


def test_a_cell_is_traced_to_the_raw_scans(finished, audit, tmp_path):
    page = tmp_path / "page.html"
    status, output = audit("trace", "table3", "E2", "Multi-task", "--page", str(page))
    assert status == 0, output
    value = pd.read_csv(finished.results / "tables/table3.csv", index_col=0).loc["E2", "Multi-task"]
    assert str(value) in output
    for step in ("score, specimen E2, method multi_task", "prediction, specimen E2",
                 "choice of the epoch", "checkpoints of the fold's training", "patches",
                 "class map, specimen E3", "registration: CT and micro-CT on one grid, specimen E1",
                 "raw scans, made by the phantom, specimen E2", "training on E3; validation on E1",
                 "perceptual_error microct"):  # fmt: skip
        assert step in output, step
    assert "single_task" not in output
    assert "NOT AS RECORDED" not in output
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/png;base64") > 10
    assert "phantom in miniature" in html


def test_an_element_of_a_figure_is_traced(audit):
    status, output = audit("trace", "fig7", "specimen=E1", "method=atlas", "class=bone")
    assert status == 0, output
    assert "atlas vote, specimen E1" in output
    assert "dice bone microct" in output
    assert "checkpoints" not in output


def test_a_yardstick_is_traced_to_the_thresholds_that_were_learnt(audit):
    status, output = audit("trace", "fig7", "specimen=E1", "method=Two thresholds on CT")
    assert status == 0, output
    for step in ("yardsticks: thresholds on the CT, specimen E1", "training E2, point_spread_mm",
                 "thresholds learnt on the fold's training ears, group A"):  # fmt: skip
        assert step in output, step
    assert "atlas vote" not in output


def test_a_trace_tells_what_is_no_longer_as_recorded(study, monkeypatch, capsys):
    path = study.results / "specimens/E1/microct.nii"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    monkeypatch.chdir(study.folder)
    arguments = ["audit", "trace", "--results", "results/miniature", "fig7", "specimen=E1"]
    assert main(arguments) == 1
    assert "NOT AS RECORDED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table9", "E1", "x"], "There is no table or figure 'table9'"),
        (["table3", "E1"], "Give a ROW and a COLUMN"),
        (["table3", "E1", "Colour"], "has no column 'Colour'. It has: Specimen"),
        (["table3", "E9", "Multi-task"], "0 rows are 'E9'"),
        (["dice", "phantom", "dice"], "0 rows are"),
        (["fig7", "E1"], "'E1' is no element of a figure"),
        (["fig7", "specimen=E99"], "There is no specimen 'E99'. There are: E1, E2, E3"),
        (["fig7", "specimen=[/x]"], "There is no specimen '[/x]'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(audit, arguments, message):
    status, output = audit("trace", *arguments)
    assert status == 1
    assert message in output
    assert "Traceback" not in output


def test_a_job_is_replayed_to_the_same_bytes(audit, finished):
    before = sorted(finished.folder.rglob("*"))
    status, output = audit("replay", "tables/table3.csv")
    assert status == 0, output
    assert "tables/table3.csv: same bytes" in output
    assert sorted(finished.folder.rglob("*")) == before


def test_a_training_is_replayed_from_its_first_epoch(audit):
    result = "training/A/multi_task/seed-1/history.tsv"
    status, output = audit("replay", result)
    assert status == 0, output
    assert output.count("same bytes") == 3
    assert "OTHER" not in output


def test_only_known_results_are_replayed(audit):
    assert "No job made tables/none.csv" in audit("replay", "tables/none.csv")[1]
    status, output = audit("list")
    assert status == 0
    assert "tables/table3.csv\twrite_table3" in output


def test_raw_scans_have_the_same_names_wherever_they_lie(finished, tmp_path):
    scans = tmp_path / "elsewhere"
    shutil.copytree(finished.results / "phantom/E1", scans / "E1")
    workflow = copy_workflow(tmp_path / "lab")
    (workflow.folder / "config/miniature_specimens.tsv").write_text(
        "specimen\tside\tct\tmicroct\n"
        + "".join(f"E{n}\tright\tE1/ct.nii.gz\tE1/microct.nii.gz\n" for n in (1, 2, 3))
    )
    data = f'data={{"source": "files", "folder": "{scans}"}}'
    workflow.output_of("results/miniature/specimens/E1/ct.nii", "--config", data)
    record = read_records(places_of(workflow)).records["register_pair/E1"]
    assert list(record["inputs"]) == ["data:E1/ct.nii.gz", "data:E1/microct.nii.gz"]
    assert str(tmp_path) not in json.dumps(record)
