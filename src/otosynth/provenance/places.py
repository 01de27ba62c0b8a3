"""Names of files in records: the same wherever a study and its raw data lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Folders of results/<study> whose bytes differ from run to run, beside TensorBoard's files; all
# else in it must not.
CIRCUMSTANTIAL = ("logs", "benchmarks", "circumstances")
RECORDS, CIRCUMSTANCES = "records", "circumstances"
ROOT = f"{RECORDS}/root.json"
# Snakemake puts a mark of its own into folders that are outputs.
MARK = ".snakemake_timestamp"
PROJECT, DATA = "project:", "data:"


@dataclass(frozen=True)
class Places:
    """Where a study lies.

    Attributes
    ----------
    results
        ``results/<study>``.
    data
        The folder of raw scans; ``None`` where the study makes its own.
    project
        The repository's root.
    """

    results: Path
    data: Path | None = None
    project: Path = Path()

    def name_of(self, path: Path) -> str:
        """Return a file's name in records.

        That is its path in ``results/<study>``, ``data:`` and its path in the folder of raw data,
        ``project:`` and its path in the repository, or its absolute path.
        """
        anchors = [(self.results, ""), (self.data, DATA), (self.project, PROJECT)]
        absolute = path.absolute()
        for folder, prefix in anchors:
            if folder is not None and absolute.is_relative_to(folder.absolute()):
                return prefix + absolute.relative_to(folder.absolute()).as_posix()
        return absolute.as_posix()

    def path_of(self, name: str) -> Path:
        """Return the path of a file by its name in records."""
        if name.startswith(PROJECT):
            return self.project / name.removeprefix(PROJECT)
        if name.startswith(DATA):
            return (self.data or self.project) / name.removeprefix(DATA)
        return self.results / name


def places_of(config: Mapping[str, Any]) -> Places:
    """Return where the study of a configuration lies."""
    data = config["data"].get("folder") if config["data"]["source"] == "files" else None
    results = Path(config["results"]) / config["study"]
    return Places(results, Path(data) if data else None)


def is_circumstantial(name: str) -> bool:
    """Return whether a file's bytes may differ from run to run, by its name in records."""
    first, *others = Path(name).parts
    return first in CIRCUMSTANTIAL or (first == "training" and "tensorboard" in others)


def is_shown(name: str) -> bool:
    """Return whether readers look at a result: a table, a figure or a quality figure."""
    parts = Path(name).parts
    return parts[0] in ("tables", "figures") or "qc" in parts[2:-1]


def job_of(path: Path, folder: Path) -> str:
    """Return a job's name by the path of its record, log or circumstances in their folder."""
    return path.relative_to(folder).with_suffix("").as_posix()


def files_within(path: Path) -> list[Path]:
    """Return a file itself, or all files below a folder, sorted."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and p.name != MARK)
    return [path]
