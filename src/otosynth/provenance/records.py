"""The record of a job: what it read, what it wrote and what decided the result.

A record is deterministic: the same job on the same inputs writes the same bytes. Where, when and
how the job ran stands apart from it (:mod:`otosynth.provenance.circumstances`).
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from otosynth.files import sha256_of, write_bytes
from otosynth.provenance.circumstances import Circumstances
from otosynth.provenance.hashing import FileHash, digest_of, hash_file
from otosynth.provenance.places import (
    CIRCUMSTANCES,
    RECORDS,
    files_within,
    is_circumstantial,
    job_of,
    places_of,
)

FORMAT = 1
LOCK = Path("envs/requirements.lock")


def encode(record: Mapping[str, Any]) -> bytes:
    """Return a record as the bytes of its file."""
    return (json.dumps(record, indent=1) + "\n").encode()


def decisions_digest(record: Mapping[str, Any]) -> str:
    """Return the digest of a job's inputs and settings, which its figures and tables carry.

    The code is left out, so that a picture drawn anew by tidied code is the same picture.
    """
    hashes = {name: facts["sha256"] for name, facts in record["inputs"].items()}
    decisions = [record["rule"], hashes, record["configuration"], record["parameters"]]
    return digest_of(json.dumps(decisions, sort_keys=True))


def digest_of_folder(hashes: Mapping[str, Mapping[str, Any]], folder: str) -> str:
    """Return the digest of all files in a folder, by their hashes in a record."""
    inside = {n: h["sha256"] for n, h in hashes.items() if n.rpartition("/")[0] == folder}
    return digest_of(json.dumps(inside, sort_keys=True))


class Recorder:
    """Records one Snakemake job: hashes its inputs first, its outputs when it is done.

    Parameters
    ----------
    snakemake
        What Snakemake gives to a script.
    """

    def __init__(self, snakemake: Any) -> None:
        self.circumstances = Circumstances()
        self.places = places_of(snakemake.config)
        self.outputs = list(snakemake.output)
        logs = self.places.results / "logs"
        self.name = job_of(Path(snakemake.log[0]), logs)
        with self.circumstances.recording():
            self.record = {
                "format": FORMAT,
                "job": self.name,
                "rule": snakemake.rule,
                "wildcards": dict(snakemake.wildcards.items()),
                "inputs": self._hashes(snakemake.input),
                "roles": self._roles(snakemake.input),
                **_decisions(snakemake),
                "lock": sha256_of(LOCK),
            }

    @property
    def digest(self) -> str:
        """The digest of all inputs and settings, which figures and tables carry."""
        return decisions_digest(self.record)

    def digest_of_folder(self, folder: Path) -> str:
        """Return the digest of all input files in a folder, such as a specimen's pair."""
        return digest_of_folder(self.record["inputs"], self.places.name_of(folder))

    def write(self) -> None:
        """Write the record and, beside the tree, the circumstances."""
        with self.circumstances.recording():
            outputs = self._hashes(self.outputs)
            results = {n: h for n, h in outputs.items() if not is_circumstantial(n)}
            data = encode(self.record | {"outputs": results})
            write_bytes(self.places.results / RECORDS / f"{self.name}.json", data)
        others = {n: h for n, h in outputs.items() if is_circumstantial(n)}
        path = self.places.results / CIRCUMSTANCES / f"{self.name}.json"
        self.circumstances.write(path, digest_of(data.decode()), others)

    def _roles(self, inputs: Any) -> dict[str, list[str]]:
        """Return the names of the inputs that the rule calls by a name of their own."""
        return {
            role: [self.places.name_of(Path(path)) for path in _listed(value)]
            for role, value in inputs.items()
        }

    def _hashes(self, paths: Iterable[str]) -> dict[str, FileHash]:
        files = {file for path in paths for file in files_within(Path(path))}
        by_name = sorted((self.places.name_of(file), file) for file in files)
        return {name: hash_file(file) for name, file in by_name}


def _decisions(snakemake: Any) -> dict[str, Any]:
    """Return what decides a job's result besides its inputs, from the parameters of its rule."""
    parameters = dict(snakemake.params.items())
    wildcards = dict(snakemake.wildcards.items())
    code = parameters.pop("code")
    settings = {key: parameters.pop(key) for key in list(parameters) if key in snakemake.config}
    if "method" in parameters:
        name = wildcards.get("method") or parameters["name"]
        settings["methods"] = {name: parameters.pop("method")}
    seeds = {"study": settings["seed"]} if "seed" in settings else {}
    if "seed" in wildcards:
        seeds["training"] = int(wildcards["seed"])
    return {
        "configuration": _plain(settings),
        "parameters": _plain(parameters),
        "seeds": seeds,
        "code": dict(code),
    }


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _plain(data: Mapping[str, Any]) -> Any:
    """Return data as JSON gives it back, so that a record read is the record written."""
    return json.loads(json.dumps(data, sort_keys=True, default=list))
