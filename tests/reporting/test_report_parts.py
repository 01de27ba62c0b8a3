"""Parts of the report that need no study: traces, rule graph, curves, times, what fits."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from otosynth.provenance.places import Places
from otosynth.provenance.tree import RecordTree
from otosynth.reporting import volumes
from otosynth.reporting.curves import charts
from otosynth.reporting.rule_graph import lay_out
from otosynth.reporting.runs import read_runs
from otosynth.reporting.traces import Traces

HASH = {"sha256": "0" * 64, "md5": "0" * 32, "bytes": 3}


def record(rule, reads, makes, **wildcards):
    return {
        "format": 1, "job": rule, "rule": rule, "wildcards": wildcards, "lock": "",
        "inputs": dict.fromkeys(reads, HASH), "outputs": dict.fromkeys(makes, HASH), "roles": {},
        "configuration": {"patches": {"size": 32}}, "parameters": {}, "seeds": {}, "code": {},
    }  # fmt: skip


@pytest.fixture
def tree():
    """Two trainings, of which the second needs the choice among the first one's epochs."""
    records = {
        "make_phantom/E1": record("make_phantom", [], ["phantom/E1/ct.nii.gz"], specimen="E1"),
        "train/A-first-1": record(
            "train", ["phantom/E1/ct.nii.gz"], ["first.safetensors"], group="A", method="first"
        ),
        "select_epoch/A-first-1": record("select_epoch", ["first.safetensors"], ["selected.json"]),
        "train/A-second-1": record(
            "train", ["phantom/E1/ct.nii.gz", "selected.json"], ["second.safetensors"], group="A"
        ),
    }
    return RecordTree(records, {})


def test_a_chain_leads_from_the_raw_scan_to_the_number(tree, tmp_path):
    traces = Traces(Places(tmp_path), tree)
    job = traces.of("second.safetensors")
    assert traces.chain(job) == [
        "make_phantom/E1", "train/A-first-1", "select_epoch/A-first-1", "train/A-second-1",
    ]  # fmt: skip
    assert traces.linked == {job}
    assert traces.of("no such result") == ""
    assert traces.title("make_phantom/E1") == "raw scans, made by the phantom, specimen E1"


def test_a_trace_says_what_its_small_results_say(tree, tmp_path):
    (tmp_path / "selected.json").write_text(json.dumps({"epoch": 20, "checkpoint": "epoch-0020"}))
    [job] = Traces(Places(tmp_path), tree).jobs()["select_epoch"]
    assert job.facts == ["epoch 20, checkpoint epoch-0020"]
    assert job.settings == {"patches.size": 32}
    assert [(file.name, file.job) for file in job.makes] == [("selected.json", job.name)]


def test_rules_stand_below_what_they_need_even_if_one_needs_itself(tree):
    graph = lay_out(tree)
    heights = {box.rule: box.y for box in graph.boxes}
    assert heights["make_phantom"] < heights["train"] < heights["select_epoch"]
    assert {box.rule: box.jobs for box in graph.boxes}["train"] == 2
    assert (len(graph.lines), len(graph.back)) == (2, 1)


def test_curves_leave_out_what_is_not_finite():
    table = pd.DataFrame(
        {"epoch": [1, 2, 3], "learning_rate": [1, 1, 1], "l1": [4.0, float("nan"), 2.0]}
    )
    [chart] = charts({"A": table})
    assert (chart.title, chart.low, chart.high) == ("l1", "2", "4")
    assert chart.lines[0].points == "0.0,0.0 200.0,90.0"


def test_runs_are_summed_by_rule_and_machine(tree, tmp_path):
    for number, job in enumerate(tree.records):
        path = tmp_path / f"circumstances/{job}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {
            "start": f"2026-01-01T10:0{number}:00+00:00",
            "end": f"2026-01-01T10:0{number}:30+00:00",
            "cpu_s": 20, "peak_memory_mib": 100 + number, "host": "a", "commit": "c",
            "tree_was_clean": number > 0,
        }  # fmt: skip
        path.write_text(json.dumps(facts))
    benchmark = tmp_path / "benchmarks/make_phantom/E1.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\n31.5\t9\n")
    runs = read_runs(Places(tmp_path), tree)
    by_rule = {rule.rule: rule for rule in runs.rules}
    assert (by_rule["train"].jobs, by_rule["train"].wall_s, by_rule["train"].memory_mib) == (
        2, 60, 103,
    )  # fmt: skip
    assert by_rule["make_phantom"].wall_s == 31.5
    assert (len(runs.machines), runs.machines[0].jobs, runs.span_s) == (1, 4, 210)
    assert runs.commits == ["c", "c *"]


def test_without_circumstances_there_are_no_runs(tree, tmp_path):
    runs = read_runs(Places(tmp_path), tree)
    assert (runs.jobs, runs.first, runs.wall_s) == ([], None, 0)


@pytest.fixture
def study(monkeypatch):
    """Two ears, whose volumes take 100 bytes each in the page."""
    monkeypatch.setattr(volumes, "encoded", lambda ear, key, bits: key)
    monkeypatch.setattr(volumes, "_packed", lambda key: "x" * 100)
    predictions = {"atlas": {"classmap": ""}, "gan": {"microct": "", "classmap": ""}}
    ears = [
        SimpleNamespace(name=name, predictions=predictions, windows={}) for name in ("E1", "E2")
    ]
    return SimpleNamespace(
        name="tiny", label="test", ears=ears, titles={"atlas": "Atlas", "gan": "GAN"}
    )


def test_the_ear_of_the_figures_comes_first_and_what_does_not_fit_is_named(study):
    whole = volumes.embed(study, "E2", 1600)
    assert (len(whole.volumes), whole.note) == (16, "")
    assert [ear["name"] for ear in json.loads(whole.manifest)["ears"]] == ["E2", "E1"]
    one = volumes.embed(study, "E2", 1500)
    assert {key.split("/")[0] for key in one.volumes} == {"E2"}
    assert "E1" in one.note


def test_of_one_ear_methods_are_left_out_and_of_too_large_a_study_all(study):
    few = volumes.embed(study, "E1", 500)
    assert {key.split("/")[1] for key in few.volumes} == {"ct", "microct", "classmap", "atlas"}
    assert "GAN of E1" in few.note
    assert volumes.embed(study, "E1", 200).volumes == {}
