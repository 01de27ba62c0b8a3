"""The same miniature study by the same code in a plain configuration: float32, one job at a time.

In float32 networks and patches lie contiguous in memory. What is in the code and cannot be switched
off is as in ours, so it does not count: the fused step of Adam, networks and losses as they are,
what jobs do not import, and the outlines of code that the DAG does not parse anew.
"""

from pathlib import Path

from workflow_runs import copy_workflow, run_miniature

STARTS_PROCESSES = True


def prepare(folder: Path, settings: dict) -> Path:
    """Lay out a copy of the workflow."""
    if not (folder / "plain").exists():
        copy_workflow(folder / "plain")
    return folder / "plain"


def run(study: Path) -> dict:
    """Run the study."""
    return run_miniature(study, 1, "float32")
