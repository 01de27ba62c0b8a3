"""docs/reruns.tsv says what a changed key runs again: every row is dry-run."""

import csv
import re

import pytest
from workflow_copy import ROOT

from otosynth.configuration.study import Study
from otosynth.documentation import fields_of

TABLE = ROOT / "docs/reruns.tsv"
with TABLE.open(newline="") as stream:
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


@pytest.fixture(scope="module")
def told(request):
    """Rules that each row names; written to the table at the end, where `make reruns` asks so."""
    rules = {row["keys"]: set(filter(None, row["rules"].split(", "))) for row in ROWS}
    yield rules
    if request.config.getoption("rewrite_reruns"):
        rows = [row | {"rules": ", ".join(sorted(rules[row["keys"]]))} for row in ROWS]
        lines = ["\t".join(line) for line in (ROWS[0], *(row.values() for row in rows))]
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["keys"])
def test_a_changed_key_re_runs_what_the_table_says(finished, told, request, row):
    found = rules_to_run(finished.output_of("--dry-run", "--config", row["example"]))
    if request.config.getoption("rewrite_reruns"):
        told[row["keys"]] = found
    assert found == told[row["keys"]]


def test_the_table_has_every_key():
    patterns = [row["keys"].replace(".", r"\.").replace("*", ".*") for row in ROWS]
    keys = {key for key, field in fields_of(Study) if "." in key or field.description}
    sections = {key.rsplit(".", 1)[0] for key in keys if "." in key}
    leaves = keys - sections - {"methods"}
    leaves -= NAME_THE_STUDY
    missing = {key for key in leaves if not any(re.fullmatch(p, key) for p in patterns)}
    assert missing == set()
