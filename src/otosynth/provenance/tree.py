"""The hash tree of a study's records: which job made what, and from what."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from otosynth.errors import InputError
from otosynth.files import sha256_of, write_bytes
from otosynth.provenance.hashing import FileHash, digest_of
from otosynth.provenance.places import RECORDS, ROOT, Places, job_of


class Record(TypedDict):
    """A job's record, as :mod:`otosynth.provenance.records` writes it."""

    format: int
    job: str
    rule: str
    wildcards: dict[str, str]
    inputs: dict[str, FileHash]
    roles: dict[str, list[str]]
    outputs: dict[str, FileHash]
    configuration: dict[str, Any]
    parameters: dict[str, Any]
    seeds: dict[str, int]
    code: dict[str, str]
    lock: str


class JobOfRoot(TypedDict):
    """What the root says of a job: its digests, the jobs before it and the files it made."""

    record: str
    node: str
    after: list[str]
    makes: list[str]


class Root(TypedDict):
    """The contents of ``records/root.json``."""

    root: str
    study: str
    label: str
    configuration: dict[str, Any]
    tables: dict[str, str]
    results: dict[str, str]
    jobs: dict[str, JobOfRoot]


RECORD, ROOT_OF_RECORDS = TypeAdapter(Record), TypeAdapter(Root)


@dataclass(frozen=True)
class RecordTree:
    """Records of jobs by the jobs' names, such as ``train/A-multi_task-1``.

    Attributes
    ----------
    records
        The parsed records.
    digests
        SHA-256 of each record's file.
    """

    records: Mapping[str, Record]
    digests: Mapping[str, str]
    _nodes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def maker(self) -> dict[str, str]:
        """The job that made each file."""
        return {name: job for job, record in self.records.items() for name in record["outputs"]}

    def parents(self, job: str) -> list[str]:
        """Return the jobs that made a job's inputs, sorted."""
        inputs = self.records[job]["inputs"]
        return sorted({self.maker[name] for name in inputs if name in self.maker})

    def with_ancestors(self, jobs: Iterable[str]) -> set[str]:
        """Return jobs with all that they depend on."""
        return reach(jobs, self.parents)

    def node(self, job: str) -> str:
        """Return the digest of a job's record and of the nodes of all jobs before it."""
        if job not in self._nodes:
            below = [self.node(parent) for parent in self.parents(job)]
            self._nodes[job] = digest_of(json.dumps([self.digests[job], below]))
        return self._nodes[job]


def reach(jobs: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    """Return jobs with all that can be reached from them by way of neighbours."""
    waiting, found = list(jobs), set(jobs)
    while waiting:
        new = set(neighbours(waiting.pop())) - found
        found |= new
        waiting += new
    return found


def record_path(places: Places, job: str) -> Path:
    """Return where a job's record lies."""
    return places.results / RECORDS / f"{job}.json"


def read_records(places: Places) -> RecordTree:
    """Read all records of a study.

    Raises
    ------
    InputError
        If there is none, or one is no record.
    """
    folder = places.results / RECORDS
    paths = sorted(path for path in folder.rglob("*.json") if path != places.results / ROOT)
    if not paths:
        raise InputError(f"{folder} holds no records. Run the study first.")
    return _tree_of({job_of(path, folder): path for path in paths})


def _tree_of(paths: Mapping[str, Path]) -> RecordTree:
    """Return the tree of some records, by the jobs' names."""
    return RecordTree(
        records={job: read_record(path) for job, path in paths.items()},
        digests={job: sha256_of(path) for job, path in paths.items()},
    )


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    InputError
        If the file is missing or no record.
    """
    try:
        return RECORD.validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except ValidationError:
        raise InputError(f"{path} is not the record of a job.") from None


def seal(
    places: Places, results: Iterable[str], tables: Iterable[str], facts: Mapping[str, Any]
) -> str:
    """Write ``records/root.json``: every job behind the results, and the root of their hash tree.

    Parameters
    ----------
    results
        All figures and tables of the study.
    tables
        The tables of specimens and groups that the study was configured by.
    facts
        What the root says besides: the study's name, label and configuration.

    Returns
    -------
    str
        The root, a SHA-256.

    Raises
    ------
    InputError
        If a result has no record, or two records claim one file.
    """
    tree = read_records(places)
    _refuse_two_makers(places, tree)
    names = [places.name_of(Path(path)) for path in results]
    unknown = [name for name in names if name not in tree.maker]
    if unknown:
        raise InputError(
            f"{unknown[0]} has no record in {places.results / RECORDS}. Delete it and run the same "
            "command again: it is made anew, with its record."
        )
    jobs = sorted(tree.with_ancestors({tree.maker[name] for name in names}))
    content = {
        **facts,
        "tables": {places.name_of(Path(path)): sha256_of(Path(path)) for path in tables},
        "results": {name: tree.records[tree.maker[name]]["outputs"][name]["sha256"]
                    for name in sorted(names)},
        "jobs": {job: _entry(tree, job) for job in jobs},
    }  # fmt: skip
    root = root_digest(content)
    write_bytes(
        places.results / ROOT, (json.dumps({"root": root, **content}, indent=1) + "\n").encode()
    )
    return root


def _refuse_two_makers(places: Places, tree: RecordTree) -> None:
    for job, record in tree.records.items():
        for name in record["outputs"]:
            if tree.maker[name] != job:
                first, second = (record_path(places, j) for j in (job, tree.maker[name]))
                raise InputError(
                    f"{first} and {second} both say that they made {name}. Delete the older one."
                )


def check_data_is_known(places: Places, root: Root) -> None:
    """Refuse to look for raw scans nowhere.

    Raises
    ------
    InputError
        If the study has raw scans of its own and ``places`` does not tell where they lie.
    """
    if root["configuration"]["data"]["source"] == "files" and places.data is None:
        raise InputError("This study has raw scans of its own: say by --data where they lie.")


def read_sealed(places: Places) -> tuple[RecordTree, Root]:
    """Read the root and the records of its jobs, and of no others.

    Raises
    ------
    InputError
        As ``read_root``, and if one of these records is missing or unreadable, or the raw scans
        lie in a folder that ``places`` does not tell.
    """
    root = read_root(places)
    check_data_is_known(places, root)
    return _tree_of({job: record_path(places, job) for job in root["jobs"]}), root


def _entry(tree: RecordTree, job: str) -> JobOfRoot:
    """Return what the root says of a job."""
    return {
        "record": tree.digests[job],
        "node": tree.node(job),
        "after": tree.parents(job),
        "makes": sorted(tree.records[job]["outputs"]),
    }


def root_digest(content: Mapping[str, Any]) -> str:
    """Return the root of a hash tree: the digest of all that ``root.json`` says but itself."""
    plain = {key: value for key, value in content.items() if key != "root"}
    return digest_of(json.dumps(plain, sort_keys=True))


def read_root(places: Places) -> Root:
    """Read ``records/root.json``.

    Raises
    ------
    InputError
        If it is missing or not what ``seal`` wrote.
    """
    path = places.results / ROOT
    try:
        return ROOT_OF_RECORDS.validate_json(path.read_bytes(), strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{path} is missing: the study is not finished, or not in {places.results}."
        ) from None
    except ValidationError:
        raise InputError(f"{path} is not the root of a study's records.") from None
