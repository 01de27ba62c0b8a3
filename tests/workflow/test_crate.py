"""The study as an RO-Crate: valid at every level, and verifiable without this project."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests_cache
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from workflow_copy import Workflow

from otosynth.cli import main

CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": "ro-crate-1.1-context.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": "workflow-run-context.jsonld",
}
LOCAL_SOFTWARE = "process-run-crate-0.5_5.1"
ARGUMENTS = (
    "--results", "results/miniature", "--agent", "A lab", "--url", "https://example.org",
    "--licence", "https://spdx.org/licenses/CC-BY-4.0",
)  # fmt: skip


class FileAdapter(HTTPAdapter):
    """Answers requests for contexts with the files beside this test."""

    def send(self, request, **_):
        body = Path(__file__).with_name("ro-crate").joinpath(CONTEXTS[request.url]).read_bytes()
        headers = {"Content-Type": "application/ld+json", "Content-Length": str(len(body))}
        raw = HTTPResponse(io.BytesIO(body), headers, 200, preload_content=False)
        return self.build_response(request, raw)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cache of the validator that holds the contexts."""
    path = tmp_path_factory.mktemp("cache") / "http"
    session = requests_cache.CachedSession(str(path), expire_after=-1)
    session.mount("https://w3id.org/", FileAdapter())
    for url in CONTEXTS:
        session.get(url)
        session.get(url, headers={"Accept": "application/ld+json, application/json"})
    return path


@pytest.fixture(scope="module")
def crate(finished, tmp_path_factory) -> Path:
    """The finished study's crate, unpacked."""
    folder = tmp_path_factory.mktemp("crate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished.folder)
        status = main(["audit", "crate", str(folder / "study.zip"), *ARGUMENTS])
    assert status == 0
    with zipfile.ZipFile(folder / "study.zip") as archive:
        archive.extractall(folder / "study")
    return folder / "study"


@pytest.fixture(scope="module")
def entities(crate) -> dict:
    metadata = json.loads((crate / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def validated(crate, cache, tmp_path, *options) -> list[dict]:
    """Return the issues that the validator finds at the levels REQUIRED and RECOMMENDED."""
    command = [
        Path(sys.executable).with_name("rocrate-validator"), "-y", "validate", "-l", "recommended",
        "--offline", "--cache-path", cache, "-p", "provenance-run-crate", "-f", "json",
        "-o", tmp_path / "found.json", *options, crate,
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=False)
    return json.loads((tmp_path / "found.json").read_text())["issues"]


def test_the_validator_finds_nothing_but_that_the_code_is_in_the_crate(crate, cache, tmp_path):
    """The validator wants a web address as the id of all software, even of the crate's own files.

    Profile and RO-Crate say so of applications only, and a main workflow that lies in the crate
    has no other id than its path.
    """
    issues = validated(crate, cache, tmp_path)
    assert {issue["check"]["identifier"] for issue in issues} <= {LOCAL_SOFTWARE}
    found = {issue["violatingPropertyValue"].split("/study/")[1] for issue in issues}
    assert all((crate / file).is_file() for file in found)


def test_the_validator_finds_what_is_wrong(crate, cache, tmp_path):
    altered = tmp_path / "altered"
    shutil.copytree(crate, altered)
    path = altered / "ro-crate-metadata.json"
    path.write_text(path.read_text().replace('"exampleOfWork"', '"was"').replace("endTime", "x"))
    assert len(validated(altered, cache, tmp_path)) > 100


def test_standard_tools_verify_every_file(crate):
    check = ["sha256sum", "--check", "--quiet", "--strict", "sha256sums.txt"]
    subprocess.run(check, cwd=crate, check=True)
    listed = {line.split("  ", 1)[1] for line in (crate / "sha256sums.txt").read_text().split("\n")
              if line}  # fmt: skip
    files = {p.relative_to(crate).as_posix() for p in crate.rglob("*") if p.is_file()}
    assert files - listed == {"sha256sums.txt", "ro-crate-metadata.json"}
    scores = crate / "results/tables/scores.csv"
    scores.write_bytes(scores.read_bytes() + b"\n")
    assert subprocess.run(check, cwd=crate, capture_output=True, check=False).returncode == 1
    scores.write_bytes(scores.read_bytes()[:-1])


def test_every_file_has_its_checksum_and_size(crate, entities):
    files = [e for e in entities.values() if "File" in e["@type"]]
    assert len(files) > 300
    for entity in files:
        assert len(entity["sha256"]) == 64, entity["@id"]
        assert (crate / entity["@id"]).stat().st_size == int(entity["contentSize"])


def test_every_job_is_an_action_with_its_parameters(finished, entities):
    root = json.loads((finished.results / "records/root.json").read_text())
    for job in root["jobs"]:
        action = entities[f"#job-{job}"]
        assert action["@type"] == "CreateAction"
        assert action["startTime"] <= action["endTime"]
    training = entities["#job-train/A-multi_task-1"]
    values = {
        entities[part["@id"]]["name"]: entities[part["@id"]]["value"]
        for part in training["object"] if part["@id"].startswith("#value-")
    }  # fmt: skip
    assert values["methods.multi_task.epochs"] == "2"
    assert root["root"] in entities["./"]["description"]
    assert "phantom in miniature" in entities["./"]["description"]


def test_a_study_that_does_not_match_its_records_is_not_packed(
    finished, tmp_path, monkeypatch, capsys
):
    study = Workflow(tmp_path / "study")
    shutil.copytree(finished.folder, study.folder)
    (study.results / "tables/table1.md").write_text("altered")
    monkeypatch.chdir(study.folder)
    assert main(["audit", "crate", "x.zip", *ARGUMENTS]) == 1
    assert "tables/table1.md is not the file that was recorded" in capsys.readouterr().err
    assert not Path("x.zip").exists()
