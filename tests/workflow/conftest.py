"""Studies that many tests of the workflow look at, each run once."""

import shutil

import pytest
from workflow_copy import Workflow, copy_workflow

from otosynth.locks import locked


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id) -> Workflow:
    """The miniature study after one undisturbed run; a copy for each process of tests."""
    if worker_id == "master":
        workflow = copy_workflow(tmp_path_factory.mktemp("finished"))
        workflow.output_of()
        return workflow
    shared = tmp_path_factory.getbasetemp().parent / "finished"
    # The processes would else run it side by side, which takes twice as long as one after all.
    with locked(shared.with_suffix(".lock"), lambda holder: None):
        if not shared.exists():
            running = copy_workflow(shared.with_suffix(".running"))
            running.output_of()
            running.folder.rename(shared)
    folder = tmp_path_factory.mktemp("finished") / "study"
    shutil.copytree(shared, folder, symlinks=True)
    return Workflow(folder)


@pytest.fixture(scope="session")
def undisturbed(request, tmp_path_factory) -> Workflow:
    """The study that `--study` names, run without a stop."""
    if request.config.getoption("study") == "miniature":
        return request.getfixturevalue("finished")
    workflow = copy_workflow(tmp_path_factory.mktemp("undisturbed"), overlay="")
    workflow.output_of()
    return workflow
