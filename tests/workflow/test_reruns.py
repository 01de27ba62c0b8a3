"""docs/reruns.tsv says what a changed key runs again: every row is dry-run."""

import csv
import re

import pytest
from workflow_copy import ROOT

from otosynth.configuration.study import Study
from otosynth.documentation import fields_of

with (ROOT / "docs/reruns.tsv").open(newline="") as stream:
    ROWS = list(csv.DictReader(stream, delimiter="\t"))

# These name other ears, other folders or further trainings: what is new is computed, and nothing
# that exists is computed again.
NAME_THE_STUDY = {
    "study",
    "results",
    "state",
    "data.source",
    "data.folder",
    "data.specimens",
    "groups.table",
    "groups.leave_out",
    "groups.validation",
    "training.seeds",
    "methods.<name>.weights_of",
}


def rules_to_run(plan: str) -> set[str]:
    """Read the job statistics of a dry run."""
    statistics = re.search(r"Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", plan)
    if statistics is None:
        assert "Nothing to be done" in plan
        return set()
    return {line.split()[0] for line in statistics.group(1).splitlines()} - {"all", "total"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["keys"])
def test_a_changed_key_re_runs_what_the_table_says(finished, row):
    plan = finished.output_of("--dry-run", "--config", row["example"])
    assert rules_to_run(plan) == set(filter(None, row["rules"].split(", ")))


def test_the_table_has_every_key():
    patterns = [row["keys"].replace(".", r"\.").replace("*", ".*") for row in ROWS]
    keys = {key for key, field in fields_of(Study) if "." in key or field.description}
    sections = {key.rsplit(".", 1)[0] for key in keys if "." in key}
    leaves = keys - sections - {"methods"}
    leaves -= NAME_THE_STUDY
    missing = {key for key in leaves if not any(re.fullmatch(p, key) for p in patterns)}
    assert missing == set()
