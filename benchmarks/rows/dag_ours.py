"""Dry run of the default study with some number of virtual ears, none of whose files exist.

Counted are CPU seconds of ``snakemake -n -q --nolock``, from the start of Python to the plan. Above
six ears the study leaves two out: half as many groups as ears, each trained on all others but one.
"""

import json
import subprocess
import sys
from pathlib import Path

from workflow_runs import copy_workflow, timed

STARTS_PROCESSES = True

DRY_RUN = [sys.executable, "-m", "snakemake", "-n", "-q", "--nolock"]


def prepare(folder: Path, settings: dict) -> Path:
    """Lay out the study in ``folder``, and leave its plan to the peer in ``plan.json``."""
    study = folder / "study"
    if not study.exists():
        copy_workflow(study, "")
        if settings["specimens"] != 6:
            _write_tables(study, settings["specimens"])
        # In a process of its own, since Snakemake in this one would count in its peak of memory.
        command = [sys.executable, str(Path(__file__).absolute()), str(folder / "plan.json")]
        subprocess.run(command, cwd=study, check=True)
    return study


def run(study: Path) -> dict:
    """Plan the study."""
    return {"seconds": timed(DRY_RUN, study)["cpu"]}


def _write_tables(study: Path, count: int) -> None:
    names = [f"P{number}" for number in range(1, count + 1)]
    sides = "".join(f"{name}\t{('right', 'left')[i % 2]}\n" for i, name in enumerate(names))
    (study / "config/phantom_specimens.tsv").write_text(f"specimen\tside\n{sides}")
    rows = ["group\ttesting\ttraining\tvalidation"]
    for first in range(0, count, 2):
        testing, validation = names[first : first + 2], names[(first + 2) % count]
        training = [name for name in names if name not in (*testing, validation)]
        rows.append(f"G{first // 2 + 1}\t{', '.join(testing)}\t{', '.join(training)}\t{validation}")
    (study / "config/phantom_groups.tsv").write_text("\n".join(rows) + "\n")


def write_plan(path: Path) -> None:
    """Write all rules with their outputs, and all jobs with their inputs, of the study here."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import (
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        resources = ResourceSettings(cores=1)
        planned = api.workflow(resource_settings=resources, snakefile=Path("Snakefile"))
        planned.dag().execute_workflow(executor="dryrun")
        # Snakemake publishes no list of jobs with their files, so this is its own object.
        workflow = planned._workflow
        rules = {rule.name: [str(file) for file in rule.output] for rule in workflow.rules}
        jobs = [
            {
                "rule": job.rule.name,
                "wildcards": dict(job.wildcards_dict),
                "input": [str(file) for file in job.input],
            }
            for job in workflow.dag.jobs
        ]
    path.write_text(json.dumps({"rules": rules, "jobs": jobs}))


if __name__ == "__main__":
    write_plan(Path(sys.argv[1]))
