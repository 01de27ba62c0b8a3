"""Run cases of the fuzz test in this process: ``python -m fuzz nifti --case 17 --keep DIR``.

One line of JSON a case is written to standard output: first ``{"begins": N}``, so that a process
that dies tells at which case it did.
"""

import argparse
import importlib
import json
import logging
import os
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from fuzz.common import Alteration, Reading, UndefinedError
from fuzz.judge import Verdict, judged

FORMATS = ("nifti", "nrrd", "metaimage", "tiff", "dicom")
SEED = 20
# Enough for any of the small volumes; a header that announces terabytes must not take them.
MEMORY_BYTES = 6 << 30
SECONDS = 5


def run_case(name: str, number: int, folder: Path, seed: int = SEED) -> tuple[str, Verdict]:
    """Build, alter, read and judge one case; returns what was altered and the verdict."""
    module = importlib.import_module(f"fuzz.{name}")
    random = np.random.default_rng([seed, FORMATS.index(name), abs(number), number < 0])
    draft = module.draft(random)
    untouched = Alteration("nothing", harmless=True)
    alteration = untouched if number < 0 else module.alter(random, draft, number)
    path = module.write(draft, folder)
    print(json.dumps({"begins": number, "altered": alteration.name}), flush=True)
    if alteration.after:
        alteration.after(path)
    with tempfile.TemporaryFile() as aside:
        independent = _quietly(aside, lambda: _independent(module, path))
    with tempfile.TemporaryFile() as aside:
        verdict = _quietly(aside, lambda: judged(path, draft.scan.reading, alteration, independent))
        noise = aside.tell()
        if noise and not verdict.finding:
            aside.seek(0)
            verdict = Verdict(verdict.outcome, "other output", aside.read(200).decode("latin-1"))
    return alteration.name, verdict


def _independent(module: ModuleType, path: Path) -> Reading | UndefinedError | str:
    """Ask the independent reader, which may take an announced size for true and not come back."""

    def stop(*_: object) -> None:
        raise TimeoutError("the independent reader does not come back")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reading = module.independent(path)
            return _confirmed(module, path, reading)
    except TimeoutError as error:
        return str(error)
    finally:
        signal.alarm(0)


def _confirmed(
    module: ModuleType, path: Path, reading: Reading | UndefinedError | str
) -> Reading | UndefinedError | str:
    """Have a second reader confirm the values, where the first reads with a library of ours."""
    if not isinstance(reading, Reading) or not hasattr(module, "second"):
        return reading
    values = module.second(path)
    if values is None or values.shape != reading.values.shape:
        return reading
    if np.allclose(values, reading.values, rtol=1e-5, equal_nan=True):
        return reading
    return UndefinedError("two independent readers see different values")


def _quietly(aside: BinaryIO, act: Callable[[], Any]) -> Any:
    """Act with the process's standard error turned aside."""

    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(aside.fileno(), 2)
    try:
        return act()
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--case", type=int, help="this one; below 0: without an alteration")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--end", type=int, default=1)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    first, end = options.first, options.end
    if options.case is not None:
        first, end = options.case, options.case + 1
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for other in ("tifffile", "pydicom", "nrrd"):
        logging.getLogger(other).disabled = True
    for number in range(first, end):
        with tempfile.TemporaryDirectory() as scratch:
            folder = options.keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            altered, verdict = run_case(options.format, number, folder, options.seed)
        print(json.dumps({"case": number, "altered": altered} | asdict(verdict)), flush=True)


if __name__ == "__main__":
    main()
