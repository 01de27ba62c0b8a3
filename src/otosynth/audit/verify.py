"""Recompute every hash behind a study's results and name what does not match."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.provenance.carried import carried_digest, carried_fold
from otosynth.provenance.circumstances import SEALED, encode_with_hash
from otosynth.provenance.code import code_path, digest_of_code
from otosynth.provenance.hashing import FileHash, hash_file
from otosynth.provenance.places import (
    CIRCUMSTANCES,
    RECORDS,
    ROOT,
    Places,
    files_within,
    is_circumstantial,
    is_shown,
    job_of,
)
from otosynth.provenance.records import LOCK, decisions_digest, digest_of_folder
from otosynth.provenance.tree import (
    RecordTree,
    Root,
    check_data_is_known,
    reach,
    read_record,
    read_root,
    record_path,
    root_digest,
)

# Pages that show results and are none: our own, and Snakemake's.
REPORTS = ("report.html", "workflow.html")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mismatch:
    """Something that is not as it was recorded.

    Attributes
    ----------
    name
        The file, by its name in records.
    job
        The job that made or read it; empty where there is none.
    problem
        What is wrong, in words.
    affected
        The tables and figures that depend on it.
    """

    name: str
    job: str
    problem: str
    affected: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What was checked, what does not match, and how many files belong to no job of the root."""

    root: str
    jobs: int
    files: int
    bytes: int
    left_over: int
    mismatches: list[Mismatch]


def verify(
    places: Places, kept_root: str | None, threads: int, progress: Progress | None = None
) -> Verification:
    """Recompute everything that the records of a study say.

    Parameters
    ----------
    kept_root
        A root that was kept elsewhere; then even a consistent forgery is found.
    threads
        Files that are read at a time.
    progress
        Called with the bytes read and the bytes in all.

    Raises
    ------
    InputError
        If the study has no readable root to verify against, or has raw scans and ``places`` does
        not tell where they lie.
    """
    content = read_root(places)
    check_data_is_known(places, content)
    checks = _Checks(places, content)
    checks.root(kept_root)
    checks.read_records()
    checks.nodes()
    checks.files(threads, progress or (lambda done, total: None))
    checks.tables()
    checks.code()
    checks.carried()
    checks.folds()
    checks.circumstances()
    checks.strangers()
    sizes = [h["bytes"] for h in checks.hashes.values() if h]
    return Verification(
        content["root"],
        len(content["jobs"]),
        len(sizes),
        sum(sizes),
        checks.left_over,
        checks.mismatches,
    )


class _Checks:
    """The checks, each of which adds to the mismatches."""

    def __init__(self, places: Places, content: Root) -> None:
        self.places, self.content = places, content
        self.tree = RecordTree({}, {})
        self.hashes: dict[str, FileHash | None] = {}
        self.mismatches: list[Mismatch] = []
        self.edited: set[str] = set()
        self.left_over = 0
        # From the root, so that what depends on a lost record is known as well.
        self.children: dict[str, list[str]] = {}
        for job, known in content["jobs"].items():
            for parent in known["after"]:
                self.children.setdefault(parent, []).append(job)

    def add(self, name: str, problem: str, jobs: Iterable[str] = ()) -> None:
        """Note a mismatch of a file that some jobs made or read."""
        jobs = sorted(set(jobs))
        known = [job for job in jobs if job in self.content["jobs"]]
        affected = {
            output
            for job in reach(known, lambda job: self.children.get(job, ()))
            for output in self.content["jobs"][job]["makes"]
            if is_shown(output)
        }
        self.mismatches.append(Mismatch(name, ", ".join(jobs), problem, tuple(sorted(affected))))

    def root(self, kept_root: str | None) -> None:
        """Check that the root is the digest of its file, and the one that was kept."""
        root = root_digest(self.content)
        if root != self.content["root"]:
            self.add(ROOT, "was edited: it is not what its root is the digest of")
        if kept_root is not None and root != kept_root.lower():
            self.add(ROOT, f"its root is {root}, not {kept_root} as it was kept")

    def read_records(self) -> None:
        """Read the record of every job that the root names; it must be the one of then."""
        records, digests, problems = {}, {}, []
        for job, known in self.content["jobs"].items():
            path = record_path(self.places, job)
            try:
                records[job], digests[job] = read_record(path), sha256_of(path)
            except InputError:
                problems.append((job, "is no record" if path.exists() else "is missing"))
                continue
            if digests[job] != known["record"]:
                problems.append((job, "was edited: the root holds another digest of it"))
        self.tree = RecordTree(records, digests)
        self.edited = {job for job, _ in problems}
        for job, problem in problems:
            self.add(f"{RECORDS}/{job}.json", problem, [job])

    def nodes(self) -> None:
        """Check that the tree has the nodes of the root, where all records are as they were."""
        jobs = self.content["jobs"]
        if self.edited:
            return
        for job in jobs:
            if self.tree.node(job) != jobs[job]["node"]:
                self.add(ROOT, f"holds another node for the job {job}", [job])

    def files(self, threads: int, progress: Progress) -> None:
        """Check that every input and output has its hashes and that jobs read what others wrote."""
        claims = list(self._claims())
        self._hash({name for name, *_ in claims}, threads, progress)
        told: set[tuple[str, str]] = set()
        for name, _, claim in claims:
            found = self.hashes[name]
            problem = None
            if found is None:
                problem = "is missing"
            elif found != claim:
                problem = "is not the file that was recorded"
            maker = self.tree.maker.get(name, "")
            if problem and (name, problem) not in told:
                told.add((name, problem))
                readers = [j for n, j, _ in claims if n == name]
                self.add(name, problem, [maker] if maker else readers)

    def _claims(self) -> Iterator[tuple[str, str, FileHash]]:
        for job, record in self.tree.records.items():
            # What an edited record says of files proves nothing against them.
            if job not in self.edited:
                for name, facts in (*record["outputs"].items(), *record["inputs"].items()):
                    yield name, job, facts

    def _hash(self, names: set[str], threads: int, progress: Progress) -> None:
        paths = {name: self.places.path_of(name) for name in sorted(names)}
        total = sum(path.stat().st_size for path in paths.values() if path.is_file())
        done = 0
        with ThreadPoolExecutor(threads) as pool:
            for name, found in zip(paths, pool.map(_hash_if_there, paths.values()), strict=True):
                self.hashes[name] = found
                done += found["bytes"] if found else 0
                progress(done, total)

    def tables(self) -> None:
        """Check that the tables of specimens and groups are those of the study."""
        for name, digest in self.content["tables"].items():
            found = _hash_if_there(self.places.path_of(name))
            if found is None or found["sha256"] != digest:
                self.add(name, "is not the table that the study was configured by",
                         self.tree.records)  # fmt: skip

    def code(self) -> None:
        """Check that the code and the lock of this checkout are those of the results."""
        users: dict[tuple[str, str], list[str]] = {}
        locks: dict[str, list[str]] = {}
        for job, record in self.tree.records.items():
            for name, digest in record["code"].items():
                users.setdefault((name, digest), []).append(job)
            locks.setdefault(record["lock"], []).append(job)
        for (name, digest), jobs in users.items():
            path = code_path(name, self.places.project)
            if _code_digest_if_there(path) != digest:
                self.add(f"code:{name}", "is not the code that ran", jobs)
        lock = _hash_if_there(self.places.project / LOCK)
        for digest, jobs in locks.items():
            if lock is None or lock["sha256"] != digest:
                self.add(f"project:{LOCK}", "is not the lock of the environment that ran", jobs)

    def carried(self) -> None:
        """Check that figures and tables carry the digest of what their job read and was set to."""
        for name, job in self.tree.maker.items():
            path = self.places.path_of(name)
            if not is_shown(name) or not path.is_file():
                continue
            if carried_digest(path) != decisions_digest(self.tree.records[job]):
                self.add(name, "does not carry the digest of its own inputs", [job])

    def folds(self) -> None:
        """Check that checkpoints carry the digests of the pairs that their training read."""
        for name, job in self.tree.maker.items():
            record, path = self.tree.records[job], self.places.path_of(name)
            if not name.endswith(".safetensors") or not path.is_file():
                continue
            read = {n.rpartition("/")[0] for n in record["inputs"]}
            digests = {digest_of_folder(record["inputs"], folder) for folder in read}
            fold = carried_fold(path)
            carried = {d for specimens in fold.values() for d in specimens.values()}
            if not carried or not carried <= digests:
                self.add(name, "does not carry the fold that its training read", [job])

    def circumstances(self) -> None:
        """Check the notes on how jobs ran, which stand beside the tree."""
        folder = self.places.results / CIRCUMSTANCES
        sealed = self._circumstances_of(folder / SEALED, "seal_records", self.content["root"])
        kept = sealed.get("files", {})
        for job in self.content["jobs"]:
            path = folder / f"{job}.json"
            facts = self._circumstances_of(path, job, self.content["jobs"][job]["record"])
            if path.is_file() and sha256_of(path) != kept.get(job):
                self.add(
                    f"{CIRCUMSTANCES}/{job}.json",
                    "is not what was sealed (if the job ran again since, "
                    "`snakemake --forcerun seal_records` seals it)",
                    [job],
                )
            for name, claim in facts.get("files", {}).items():
                found = _hash_if_there(self.places.path_of(name))
                if found is None or found != claim:
                    self.add(name, "is not the file that was recorded", [job])

    def _circumstances_of(self, path: Path, job: str, record: str) -> dict[str, Any]:
        name = f"{CIRCUMSTANCES}/{path.relative_to(self.places.results / CIRCUMSTANCES)}"
        try:
            data = path.read_bytes()
            facts: dict[str, Any] = json.loads(data)
            if encode_with_hash(facts) == data and isinstance(facts["files"], dict):
                if facts["record"] != record:
                    self.add(name, "belongs to another record", [job])
                return facts
        except OSError:
            self.add(name, "is missing", [job])
            return {}
        except (ValueError, AttributeError, KeyError, TypeError):
            pass
        self.add(name, "was edited: it is not what its own hash says", [job])
        return {}

    def strangers(self) -> None:
        """Check that no result is without a record, and that left-over ones match theirs."""
        known = {*self.tree.maker, ROOT, *REPORTS}
        for job, entry in self.content["jobs"].items():
            known |= {f"{RECORDS}/{job}.json", *entry["makes"]}
        known |= self._left_over_files()
        for path in files_within(self.places.results):
            name = self.places.name_of(path)
            if name not in known and not is_circumstantial(name) and not name.startswith("."):
                self.add(name, "has no record")

    def _left_over_files(self) -> set[str]:
        """Check files of an earlier configuration, whose records the root does not name."""
        names: set[str] = set()
        folder = self.places.results / RECORDS
        for path in sorted(folder.rglob("*.json")):
            job = job_of(path, folder)
            if job in self.content["jobs"] or path == self.places.results / ROOT:
                continue
            try:
                outputs = read_record(path)["outputs"]
            except InputError:
                continue
            names |= {f"{RECORDS}/{job}.json", *outputs}
            for name, facts in outputs.items():
                found = _hash_if_there(self.places.path_of(name))
                if name not in self.tree.maker and found is not None:
                    self.left_over += 1
                    if found != facts:
                        self.add(name, "is not the file that was recorded", [job])
        return names


def _code_digest_if_there(path: Path) -> str:
    """Return the digest of a file of code; empty where it is missing or no Python."""
    try:
        return digest_of_code(path)
    except (OSError, SyntaxError, ValueError):
        return ""


def _hash_if_there(path: Path) -> FileHash | None:
    return hash_file(path) if path.is_file() else None
