"""Where, when and how a job ran: hashed, beside the hash tree of records and not part of it."""

import json
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from otosynth.files import sha256_of, write_bytes
from otosynth.provenance.hashing import digest_of
from otosynth.provenance.places import job_of

OWN_HASH = "sha256"
# Circumstances of the sealing: they hold the hashes of all others.
SEALED = "seal_records.json"


class Circumstances:
    """Notes how a job runs, from its start to ``write``."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC)
        self.recording_s = 0.0

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Add the time that hashing and recording take to ``recording_s``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.recording_s += time.perf_counter() - started

    def write(self, path: Path, record: str, files: Mapping[str, Any]) -> None:
        """Write the circumstances with a hash of their own.

        Parameters
        ----------
        path
            The JSON file.
        record
            Digest of the job's record; of the sealing, the root.
        files
            Hashes of what the job leaves besides its record: of outputs that differ from run to
            run, such as TensorBoard's; of the sealing, the circumstances of all other jobs.
        """
        with self.recording():
            facts = {"record": record, "files": dict(files), **commit(), **machine(), **slurm()}
        usage = resource.getrusage(resource.RUSAGE_SELF)
        facts |= {
            "start": self.start.isoformat(),
            "end": datetime.now(UTC).isoformat(),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
            "peak_memory_mib": round(peak_memory_mib(), 1),
            "recording_s": round(self.recording_s, 4),
        }
        write_bytes(path, encode_with_hash(facts))


def peak_memory_mib() -> float:
    """Return the most resident memory that this process has held (MiB), as Linux counts it.

    A process inherits the resource usage's ``ru_maxrss`` from the one that started it, so that is
    read only where ``/proc/self/status`` is missing.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def encode_with_hash(facts: Mapping[str, Any]) -> bytes:
    """Return facts as JSON that holds a hash of its own."""
    plain = {key: value for key, value in facts.items() if key != OWN_HASH}
    hashed = plain | {OWN_HASH: digest_of(json.dumps(plain, sort_keys=True))}
    return (json.dumps(hashed, indent=2) + "\n").encode()


def commit() -> dict[str, Any]:
    """Return the commit of the project and whether its files were unchanged; none without git."""
    try:
        head = _git("rev-parse", "HEAD")
        clean = not _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "tree_was_clean": None}
    return {"commit": head, "tree_was_clean": clean}


def _git(*arguments: str) -> str:
    # --no-optional-locks: jobs that run together must not fight for git's index.
    command = ["git", "--no-optional-locks", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    return output.stdout.strip()


def machine() -> dict[str, Any]:
    """Return the host, its processor and, where torch has used one, its GPU and driver."""
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "gpu": _gpu(),
        "gpu_driver": _first_line(Path("/proc/driver/nvidia/version")),
    }


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _gpu() -> str | None:
    # A job that did not import torch has used no GPU, and importing it takes seconds.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return None


def slurm() -> dict[str, str | None]:
    """Return the Slurm job that this process belongs to; none outside Slurm."""
    return {"slurm_job": os.environ.get("SLURM_JOB_ID")}


def circumstances_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the circumstances of every job, by the job's name."""
    files = [path for path in sorted(folder.rglob("*.json")) if path.name != SEALED]
    return {job_of(path, folder): sha256_of(path) for path in files}
