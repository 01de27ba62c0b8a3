"""What ran where and how long: the one part of the report that differs from run to run."""

import csv
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from otosynth.provenance.circumstances import SEALED
from otosynth.provenance.places import CIRCUMSTANCES, Places
from otosynth.provenance.tree import RecordTree

BENCHMARKS = "benchmarks"
# What tells machines apart, as circumstances name it.
MACHINE = ("host", "processor", "cores", "gpu", "system", "python")


@dataclass(frozen=True)
class JobRun:
    """How a job ran; times in seconds, memory in MiB.

    ``wall_s`` is Snakemake's, with the start of Python, where its benchmark is there.
    """

    job: str
    rule: str
    start: datetime
    end: datetime
    wall_s: float
    cpu_s: float
    memory_mib: float
    facts: dict[str, Any]

    @property
    def machine(self) -> tuple[str, ...]:
        """What tells this job's machine from others."""
        return tuple(str(self.facts.get(key) or "none") for key in MACHINE)


@dataclass(frozen=True)
class RuleRuns:
    """The jobs of a rule together: how many, their times, the largest memory, the longest job."""

    rule: str
    jobs: int
    wall_s: float
    cpu_s: float
    memory_mib: float
    longest: JobRun


@dataclass(frozen=True)
class MachineRuns:
    """A machine, by ``MACHINE``, with the number and the time of the jobs that ran there."""

    facts: dict[str, str]
    jobs: int
    wall_s: float


@dataclass(frozen=True)
class StudyRuns:
    """How a study ran.

    Attributes
    ----------
    jobs
        In the order in which they started; those without circumstances are left out.
    rules, machines
        The same together.
    commits
        The commits whose code ran; a star says that files were changed.
    first, last
        When the first job started and the last ended.
    """

    jobs: list[JobRun]
    rules: list[RuleRuns]
    machines: list[MachineRuns]
    commits: list[str]
    first: datetime | None
    last: datetime | None

    @property
    def wall_s(self) -> float:
        """The time of all jobs, one after the other."""
        return sum(job.wall_s for job in self.jobs)

    @property
    def span_s(self) -> float:
        """The time from the first start to the last end, pauses and all."""
        return (self.last - self.first).total_seconds() if self.first and self.last else 0.0


def read_runs(places: Places, tree: RecordTree) -> StudyRuns:
    """Read how the jobs of a study ran, from their circumstances and Snakemake's benchmarks."""
    found = [_read_run(places, job, record["rule"]) for job, record in tree.records.items()]
    jobs = sorted((run for run in found if run), key=lambda run: run.start)
    commits = {
        f"{run.facts['commit']}{'' if run.facts.get('tree_was_clean') else ' *'}"
        for run in jobs
        if run.facts.get("commit")
    }
    return StudyRuns(
        jobs=jobs,
        rules=_by_rule(jobs),
        machines=_by_machine(jobs),
        commits=sorted(commits),
        first=min((run.start for run in jobs), default=None),
        last=max((run.end for run in jobs), default=None),
    )


def sealed_at(places: Places) -> str:
    """Return when the records were sealed, as text; empty where nothing tells."""
    path = places.results / CIRCUMSTANCES / SEALED
    try:
        return in_words_of(datetime.fromisoformat(json.loads(path.read_text())["end"]))
    except (OSError, ValueError, KeyError):
        return ""


def in_words_of(moment: datetime) -> str:
    """Return a moment as a reader knows it."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _read_run(places: Places, job: str, rule: str) -> JobRun | None:
    path = places.results / CIRCUMSTANCES / f"{job}.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        start, end = (datetime.fromisoformat(facts[key]) for key in ("start", "end"))
    except (OSError, ValueError, KeyError):
        return None
    wall_s = _benchmark_s(places.results / BENCHMARKS / f"{job}.tsv")
    return JobRun(
        job, rule, start, end,
        wall_s=wall_s or (end - start).total_seconds(),
        cpu_s=facts["cpu_s"],
        memory_mib=facts["peak_memory_mib"],
        facts=facts,
    )  # fmt: skip


def _benchmark_s(path: Path) -> float | None:
    try:
        with path.open(newline="") as stream:
            return float(next(csv.DictReader(stream, delimiter="\t"))["s"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None


def _by_rule(jobs: list[JobRun]) -> list[RuleRuns]:
    rules: dict[str, list[JobRun]] = {}
    for run in jobs:
        rules.setdefault(run.rule, []).append(run)
    together = [
        RuleRuns(
            rule,
            len(runs),
            sum(run.wall_s for run in runs),
            sum(run.cpu_s for run in runs),
            max(run.memory_mib for run in runs),
            max(runs, key=lambda run: run.wall_s),
        )
        for rule, runs in rules.items()
    ]
    return sorted(together, key=lambda runs: -runs.wall_s)


def _by_machine(jobs: list[JobRun]) -> list[MachineRuns]:
    machines: dict[tuple[str, ...], list[JobRun]] = {}
    for run in jobs:
        machines.setdefault(run.machine, []).append(run)
    return [
        MachineRuns(
            dict(zip(MACHINE, machine, strict=True)), len(runs), sum(run.wall_s for run in runs)
        )
        for machine, runs in sorted(machines.items())
    ]
