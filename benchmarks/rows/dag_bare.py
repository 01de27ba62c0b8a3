"""Dry run of bare Snakemake with the same rules, jobs and files as our study, and nothing else.

The same Snakemake, in the same environment. A rule has the outputs of ours with their wildcards,
its inputs from a table that was made beforehand, and `touch` as its command: no configuration,
settings, code, logs, benchmarks, resources, messages or environments. Counted are CPU seconds, as
for ours.
"""

import json
from pathlib import Path

from dag_ours import DRY_RUN
from workflow_runs import timed

STARTS_PROCESSES = True

HEAD = """
import json

with open("inputs.json") as stream:
    INPUTS = json.load(stream)


def inputs_of(rule):
    return lambda wildcards: INPUTS[" ".join([rule, *wildcards])]


rule all:
    default_target: True
    input:
        inputs_of("all"),
"""
RULE = """
rule {name}:
    input:
        inputs_of("{name}"),
    output:
        {outputs},
    shell:
        "touch {{output}}"
"""


def prepare(folder: Path, settings: dict) -> Path:
    """Write a Snakefile from the plan that our side left."""
    plan = json.loads((folder / "plan.json").read_text())
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    rules = [
        RULE.format(name=name, outputs=",\n        ".join(f"r'{path}'" for path in outputs))
        for name, outputs in plan["rules"].items()
        if name != "all"
    ]
    inputs = {
        " ".join([job["rule"], *job["wildcards"].values()]): job["input"] for job in plan["jobs"]
    }
    _touch_files_that_exist(folder / "study", bare, plan["jobs"])
    (bare / "Snakefile").write_text(HEAD + "".join(rules))
    (bare / "inputs.json").write_text(json.dumps(inputs))
    return bare


def run(bare: Path) -> dict:
    """Plan its jobs."""
    return {"seconds": timed(DRY_RUN, bare)["cpu"]}


def _touch_files_that_exist(study: Path, bare: Path, jobs: list[dict]) -> None:
    """Make the inputs that no job makes, such as the tables of the configuration."""
    for path in {path for job in jobs for path in job["input"] if (study / path).exists()}:
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        (bare / path).touch()
