"""Studies that many tests of the workflow look at, each run once."""

import pytest
from workflow_copy import Workflow, copy_workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """The miniature study after one undisturbed run."""
    workflow = copy_workflow(tmp_path_factory.mktemp("finished"))
    workflow.output_of()
    return workflow


@pytest.fixture(scope="session")
def undisturbed(request, tmp_path_factory) -> Workflow:
    """The study that `--study` names, run without a stop."""
    if request.config.getoption("study") == "miniature":
        return request.getfixturevalue("finished")
    workflow = copy_workflow(tmp_path_factory.mktemp("undisturbed"), overlay="")
    workflow.output_of()
    return workflow
