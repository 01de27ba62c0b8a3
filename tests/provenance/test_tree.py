"""The hash tree: a change below changes every node above, and the root."""

import json

import pytest

from otosynth.errors import InputError
from otosynth.provenance.hashing import hash_file
from otosynth.provenance.places import Places
from otosynth.provenance.tree import read_record, read_records, read_root, read_sealed, seal


@pytest.fixture
def study(tmp_path):
    """Three jobs: a -> b -> table, and one that the table does not need."""
    results = tmp_path / "results/study"
    results.mkdir(parents=True)
    for name in ("a", "b", "table.csv", "other"):
        (results / name).write_text(name)
    (tmp_path / "groups.tsv").write_text("groups")

    def record(job, inputs, outputs):
        path = results / f"records/{job}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({
            "format": 1, "job": job, "rule": job, "wildcards": {}, "roles": {},
            "configuration": {}, "parameters": {}, "seeds": {}, "code": {}, "lock": "",
            "inputs": {name: hash_file(results / name) for name in inputs},
            "outputs": {name: hash_file(results / name) for name in outputs},
        }))  # fmt: skip

    record("first", [], ["a"])
    record("second", ["a"], ["b"])
    record("third", ["b"], ["table.csv"])
    record("stranger", [], ["other"])
    return Places(results, None, tmp_path)


def seal_it(places):
    tables = [places.project / "groups.tsv"]
    facts = {"study": "study", "label": "phantom", "configuration": {"data": {"source": "phantom"}}}
    return seal(places, [places.results / "table.csv"], tables, facts)


def test_the_root_names_every_job_behind_the_results_and_no_other(study):
    root = seal_it(study)
    content = read_root(study)
    assert content["root"] == root
    assert sorted(content["jobs"]) == ["first", "second", "third"]
    assert content["jobs"]["third"]["after"] == ["second"]
    assert content["tables"].keys() == {"project:groups.tsv"}


def test_the_same_study_has_the_same_root(study):
    assert seal_it(study) == seal_it(study)


def test_a_changed_record_changes_every_node_above_it(study):
    seal_it(study)
    before = read_root(study)
    path = study.results / "records/second.json"
    path.write_text(path.read_text() + " ")
    seal_it(study)
    after = read_root(study)
    changed = {
        job for job in before["jobs"]
        if before["jobs"][job]["node"] != after["jobs"][job]["node"]
    }  # fmt: skip
    assert changed == {"second", "third"}
    assert before["root"] != after["root"]


def test_ancestors_follow_the_files(study):
    tree = read_records(study)
    assert tree.with_ancestors(["second"]) == {"first", "second"}


def test_a_result_without_a_record_is_refused(study):
    (study.results / "records/third.json").unlink()
    with pytest.raises(InputError, match="has no record"):
        seal_it(study)
    assert not (study.results / "records/root.json").exists()


def test_two_records_of_one_file_are_refused(study):
    second = study.results / "records/another.json"
    second.write_bytes((study.results / "records/second.json").read_bytes())
    with pytest.raises(InputError, match="both say that they made b"):
        seal_it(study)


def test_what_is_no_record_is_refused(study, tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(InputError, match="is not the record of a job"):
        read_record(tmp_path / "x.json")
    with pytest.raises(InputError, match="is missing"):
        read_record(tmp_path / "y.json")
    with pytest.raises(InputError, match="the study is not finished"):
        read_root(study)
    with pytest.raises(InputError, match="holds no records"):
        read_records(Places(tmp_path / "nowhere"))


def test_a_study_of_files_wants_to_know_where_they_lie(study):
    tables = [study.project / "groups.tsv"]
    facts = {"study": "study", "label": "mouse", "configuration": {"data": {"source": "files"}}}
    seal(study, [study.results / "table.csv"], tables, facts)
    assert read_root(study)["label"] == "mouse"
    with pytest.raises(InputError, match="say by --data where they lie"):
        read_sealed(study)
    assert read_sealed(Places(study.results, study.project, study.project))[1]["label"] == "mouse"
