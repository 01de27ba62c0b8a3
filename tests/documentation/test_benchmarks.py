"""The page of benchmarks is that of its results, and one entry leads to all measurements."""

import ast
import re
import subprocess
import sys

import pandas as pd
import pytest
from pages import PAGES, ROOT

BENCHMARKS = ROOT / "benchmarks"
COMMAND = re.compile(r"bench\.py ([a-z-]+)")


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import bench

    return bench


def test_the_page_is_that_of_the_results(bench):
    import page

    table = pd.read_csv(page.RESULTS, dtype=str, keep_default_na=False)
    text = page.page(table)
    assert page.PAGE.read_text(encoding="utf-8") == text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    # No number is lost or rounded, and a table has five columns.
    assert {line.count(" | ") for line in lines} == {4}
    for row in table.to_dict("records"):
        for column in ("seconds", "peer_seconds", "ratio"):
            assert not row[column] or any(f"{float(row[column]):g}" in line for line in lines)
    assert text.count("goal missed") == (table["met"] == "False").sum()


def test_every_row_has_its_place_on_the_page(bench):
    from catalogue import ROWS

    assert [row.name for row in ROWS if not (row.stage and row.case)] == []
    places = [(row.stage, row.case) for row in ROWS]
    assert len(set(places)) == len(places)


def test_the_entry_leads_to_every_measurement(bench):
    listing = subprocess.run(
        [sys.executable, str(BENCHMARKS / "bench.py"), "--help"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with_main = set()
    for path in BENCHMARKS.glob("*.py"):
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        mains = [n for n in parsed.body if isinstance(n, ast.FunctionDef) and n.name == "main"]
        if mains and mains[0].args.args:
            with_main.add(path.stem.replace("_", "-"))
    assert with_main == set(bench.WHATS)
    assert all(f"  {what} " in listing for what in bench.WHATS)


def test_pages_name_measurements_that_exist(bench):
    named = {(page.name, what) for page in PAGES
             for what in COMMAND.findall(page.read_text(encoding="utf-8"))}  # fmt: skip
    assert len(named) > 5
    assert [pair for pair in sorted(named) if pair[1] not in bench.WHATS] == []
