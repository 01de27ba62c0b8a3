"""The study in miniature, run once for all tests of the workflow."""

import pytest
from workflow_copy import Workflow, copy_workflow


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workflow:
    """The miniature study after one undisturbed run."""
    workflow = copy_workflow(tmp_path_factory.mktemp("finished"))
    workflow.output_of()
    return workflow
