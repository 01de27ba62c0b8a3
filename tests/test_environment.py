"""The lock is complete and is what runs."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = dict(
    line.lower().replace("_", "-").split("==")
    for line in (ROOT / "envs/requirements.lock").read_text().split()
)


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower().replace("_", "-")


def test_every_locked_package_is_installed_at_its_version():
    installed = {
        distribution.name.lower().replace("_", "-"): distribution.version.split("+")[0]
        for distribution in importlib.metadata.distributions()
    }
    assert {n: v for n, v in installed.items() if n in LOCK and LOCK[n] != v} == {}


def test_every_direct_dependency_is_locked_with_all_that_it_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tested = project["optional-dependencies"]["test"]
    waiting = [name_of(requirement) for requirement in [*project["dependencies"], *tested]]
    waiting += ["snakemake", "snakemake-executor-plugin-slurm"]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for requirement in importlib.metadata.requires(name) or []:
            if ";" not in requirement:
                waiting.append(name_of(requirement))
    assert {name for name in seen if name not in LOCK} == set()
