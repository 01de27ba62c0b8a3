"""Licence, citation, changelog and hooks say what is so."""

import os
import re
import subprocess
import tomllib

import pytest
import yaml
from pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
TOOLS = ROOT / ".venv-docs/bin"
needs_tools = pytest.mark.skipif(
    not (ROOT / ".venv-docs/ready").exists(), reason="needs `make .venv-docs/ready`"
)


def test_versions_and_licences_agree():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert CITATION["version"] == PROJECT["version"]
    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", changelog, re.MULTILINE)
    assert CITATION["license"] == PROJECT["license"] == "MIT"
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("MIT License")
    assert CITATION["authors"] == [{"name": "The otosynth authors"}]
    assert "The otosynth authors" in licence


def test_every_paper_with_a_method_is_cited():
    cited = {(r["authors"][0]["family-names"], r["year"]) for r in CITATION["references"]}
    assert cited == {("Sun", 2021), ("Guo", 2021), ("Zhang", 2018), ("Wu", 2023)}
    page = (ROOT / "docs/equations.md").read_text(encoding="utf-8")
    for author, year in cited:
        assert f"{author} {year}" in page


@needs_tools
def test_the_citation_is_valid():
    process = subprocess.run(
        [TOOLS / "cffconvert", "--validate", "--infile", "CITATION.cff"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr


def test_hooks_are_local_and_run_what_the_lock_holds():
    lock = (ROOT / "envs/requirements.lock").read_text(encoding="utf-8").lower()
    hooks = [hook for repo in HOOKS["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in HOOKS["repos"]} == {"local"}
    assert {hook["id"] for hook in hooks} >= {"ruff", "ruff-format", "snakefmt", "mypy"}
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system"
        assert program.startswith(".venv/bin/")
        assert f"\n{program.removeprefix('.venv/bin/')}==" in lock


@needs_tools
def test_pre_commit_takes_the_hooks(tmp_path):
    process = subprocess.run(
        [TOOLS / "pre-commit", "validate-config", ".pre-commit-config.yaml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PRE_COMMIT_HOME": str(tmp_path)},
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / "envs" / name).read_text(encoding="utf-8").split()
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


def test_tools_of_both_locks_are_of_one_version():
    study, documents = locked("requirements.lock"), locked("docs.lock")
    for tool in ("ruff", "markdown"):
        assert study[tool] == documents[tool]


def test_the_tools_of_the_documents_are_locked():
    tools = {re.split(r"\W", tool.replace("-", "_"))[0].replace("_", "-")
             for tool in PROJECT["optional-dependencies"]["docs"]}  # fmt: skip
    assert tools - locked("docs.lock").keys() == set()
