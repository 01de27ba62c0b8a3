"""The whole miniature study of the tests, from nothing to its sealed records, as it should run.

`settings["cores"]` jobs at a time, precision as the machine does it well. Seconds are elapsed ones,
since jobs side by side are what is measured; CPU seconds of all processes stand beside them.
"""

from pathlib import Path

from workflow_runs import copy_workflow, run_miniature

STARTS_PROCESSES = True


def prepare(folder: Path, settings: dict) -> tuple[Path, int]:
    """Lay out a copy of the workflow."""
    if not (folder / "ours").exists():
        copy_workflow(folder / "ours")
    return folder / "ours", settings["cores"]


def run(prepared: tuple[Path, int]) -> dict:
    """Run the study."""
    study, cores = prepared
    return run_miniature(study, cores, "auto")
