"""Run one job again, apart from the study, and compare the bytes."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Record, RecordTree, Root

# What Snakemake needs of the project besides the configuration, which is the study's.
PROJECT_PARTS = ("Snakefile", "config", "rules", "scripts", "envs", "docs")


@dataclass(frozen=True)
class Replayed:
    """One output of a job that ran again."""

    name: str
    recorded: str
    found: str

    @property
    def same(self) -> bool:
        """Whether its bytes are those of the record."""
        return self.recorded == self.found


def replay(
    places: Places, tree: RecordTree, root: Root, result: str, scratch: Path, cores: int
) -> list[Replayed]:
    """Run the job that made a result once more, in a folder of its own.

    Its inputs are linked from the study, which stays as it is; a training starts from the
    first epoch.

    Parameters
    ----------
    root
        The contents of ``records/root.json``, which hold the study's configuration.
    result
        The name of the result in records, such as ``tables/table3.csv``.
    scratch
        An empty folder.

    Raises
    ------
    InputError
        If no job made such a result, an input of it is no longer what it was, or the job fails.
    """
    if result not in tree.maker:
        raise InputError(f"No job made {result}. `otosynth audit list` names all results.")
    record = tree.records[tree.maker[result]]
    _check_inputs(places, record)
    for part in PROJECT_PARTS:
        (scratch / part).symlink_to((places.project / part).absolute())
    there = Places(scratch / "results" / root["study"], places.data, scratch)
    for name in record["inputs"]:
        if not name.startswith("project:") and there.results in there.path_of(name).parents:
            there.path_of(name).parent.mkdir(parents=True, exist_ok=True)
            there.path_of(name).symlink_to(places.path_of(name).absolute())
    _run(root, record, there, cores)
    return [
        Replayed(name, facts["sha256"], _sha256_if_there(there.path_of(name)))
        for name, facts in record["outputs"].items()
    ]


def _sha256_if_there(path: Path) -> str:
    return sha256_of(path) if path.is_file() else ""


def _check_inputs(places: Places, record: Record) -> None:
    for name, facts in record["inputs"].items():
        path = places.path_of(name)
        if not path.is_file() or sha256_of(path) != facts["sha256"]:
            raise InputError(f"{path} is not what {record['job']} read; it cannot be replayed.")


def _run(root: Root, record: Record, there: Places, cores: int) -> None:
    scratch = there.project
    configuration = dict(root["configuration"])
    configuration |= {"results": "results", "state": ".state"}
    if there.data is not None:
        configuration["data"] = {**configuration["data"], "folder": str(there.data.absolute())}
    (scratch / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    targets = [str(there.path_of(name).relative_to(scratch)) for name in record["outputs"]]
    command = [
        sys.executable, "-m", "snakemake", "--cores", str(cores), "--allowed-rules", record["rule"],
        "--", _target(record, targets),
    ]  # fmt: skip
    process = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if process.returncode:
        last = "\n".join((process.stdout + process.stderr).splitlines()[-20:])
        raise InputError(f"The job failed when it ran again:\n{last}")


def _target(record: Record, targets: list[str]) -> str:
    """Return an output that Snakemake knows: a file, or the folder that a job filled."""
    if record["rule"] == "train":
        return next(t for t in targets if t.endswith("history.tsv"))
    return targets[0]
