"""The jobs of a study as the report shows them, so that every number can link to its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from otosynth.audit.trace import ABOUT, STEPS
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Record, RecordTree
from otosynth.settings import dotted
from otosynth.words import short

# More files of a job are counted, not named.
MOST_FILES = 8
# Small results whose contents a reader wants to see in the trace (bytes).
MOST_BYTES = 2000


@dataclass(frozen=True)
class File:
    """A file in a record: its name there, its SHA-256, and the job that made it, if any did."""

    name: str
    sha256: str
    job: str


@dataclass(frozen=True)
class TracedJob:
    """A job in the report.

    Attributes
    ----------
    name, rule
        As in the records.
    title
        What it did, in words.
    facts
        What its small results say.
    settings
        The configuration and parameters that it read, by dotted names.
    reads, makes
        Files; ``more_reads`` and ``more_makes`` count those that are not named.
    before
        The jobs that made its inputs.
    """

    name: str
    rule: str
    title: str
    facts: list[str]
    settings: dict[str, Any]
    reads: list[File]
    more_reads: int
    makes: list[File]
    more_makes: int
    before: list[str]


@dataclass
class Traces:
    """All jobs of a study, and which of them numbers link to."""

    places: Places
    tree: RecordTree
    linked: set[str] = field(default_factory=set)

    def of(self, result: str) -> str:
        """Return the job that made a result, and remember that a number links to it."""
        job = self.tree.maker.get(result, "")
        if job:
            self.linked.add(job)
        return job

    def title(self, job: str) -> str:
        """Return what a job did, in words."""
        record = self.tree.records[job]
        about = [f"{key} {record['wildcards'][key]}" for key in ABOUT if key in record["wildcards"]]
        rule = record["rule"]
        return ", ".join([STEPS.get(rule, rule.replace("_", " ")), *about])

    def chain(self, job: str) -> list[str]:
        """Return all jobs behind a job, raw scans first, itself last."""
        return sorted(self.tree.with_ancestors([job]), key=self._place)

    def jobs(self) -> dict[str, list[TracedJob]]:
        """Return all jobs by their rule, in the order of the data."""
        by_rule: dict[str, list[TracedJob]] = {}
        for name in sorted(self.tree.records, key=self._place):
            job = self._traced(name)
            by_rule.setdefault(job.rule, []).append(job)
        return by_rule

    @cached_property
    def _depths(self) -> dict[str, int]:
        return depths(self.tree)

    def _place(self, job: str) -> tuple[int, str]:
        """Return the key that sorts jobs in the order of the data."""
        return self._depths[job], job

    def _traced(self, job: str) -> TracedJob:
        record = self.tree.records[job]
        parents = self.tree.parents(job)
        # What other jobs made is found by them; only raw scans and files of the project are named.
        sources = [n for n in record["inputs"] if n not in self.tree.maker]
        makes = sorted(record["outputs"])
        return TracedJob(
            name=job,
            rule=record["rule"],
            title=self.title(job),
            facts=list(self._facts(record)),
            settings=dotted(record["configuration"]) | dotted(record["parameters"]),
            reads=self._files(sources, record["inputs"]),
            more_reads=max(0, len(sources) - MOST_FILES),
            makes=self._files(makes, record["outputs"]),
            more_makes=max(0, len(makes) - MOST_FILES),
            before=parents,
        )

    def _files(self, names: list[str], facts: Mapping[str, Any]) -> list[File]:
        return [
            File(name, facts[name]["sha256"], self.tree.maker.get(name, ""))
            for name in names[:MOST_FILES]
        ]

    def _facts(self, record: Record) -> Iterator[str]:
        """Yield what the small results of a job say: JSON files, and scores of a prediction."""
        for name, facts in record["outputs"].items():
            path = self.places.path_of(name)
            if facts["bytes"] > MOST_BYTES or not path.is_file():
                continue
            if name.endswith(".json"):
                data = json.loads(path.read_text(encoding="utf-8"))
                yield ", ".join(f"{key} {short(value)}" for key, value in dotted(data).items())
            elif name.startswith("scores/"):
                yield from _scores(path)


def depths(tree: RecordTree) -> dict[str, int]:
    """Return how many jobs, one after the other, lie between each job and the raw scans."""
    found: dict[str, int] = {}

    def depth(job: str) -> int:
        if job not in found:
            found[job] = 1 + max(map(depth, tree.parents(job)), default=-1)
        return found[job]

    return {job: depth(job) for job in tree.records}


def _scores(path: Path) -> Iterator[str]:
    # An empty value: a class that is absent.
    for row in pd.read_csv(path).dropna(subset="value").fillna("").to_dict("records"):
        words = [str(row[key]) for key in ("metric", "class", "grid") if row.get(key)]
        yield f"{' '.join(words)}: {short(row['value'])}"
