"""Runs one side of a comparison in a process of its own, and says what it took.

    python benchmarks/side.py FILE FOLDER SETTINGS REPEATS

FILE defines ``prepare(folder, settings)``, whose time is not counted, and ``run(prepared)``, whose
time is; `run` may return a dict of qualities (a Dice, a target registration error, or the seconds
of the part that counts, as ``seconds``). FOLDER is shared by all sides of a row, so that one may
leave data or results there for the others. SETTINGS is JSON. The last line printed is JSON: the
seconds of each repeat, the peak memory of this process or, where FILE says STARTS_PROCESSES, of the
largest that it started, and the qualities.
"""

import json
import resource
import runpy
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "rows/peers"))
from memory import status_mb


def measure(file: Path, folder: Path, settings: dict, repeats: int) -> dict:
    """Prepare once, run ``repeats`` times; the qualities are those of the last run."""
    side = runpy.run_path(str(file))
    prepared = side["prepare"](folder, settings)
    seconds: list[float] = []
    quality: dict = {}
    for _ in range(repeats):
        started = time.perf_counter()
        quality = side["run"](prepared) or {}
        elapsed = time.perf_counter() - started
        seconds.append(quality.pop("seconds", elapsed))
    if side.get("STARTS_PROCESSES"):
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    else:
        # Not this process's own `ru_maxrss`, which begins with that of the one that started it.
        peak_mb = status_mb("VmHWM")
    return {"seconds": seconds, "peak_mb": peak_mb, "quality": quality}


def main() -> None:
    """Measure the side that the command line names."""
    file, folder, settings, repeats = sys.argv[1:]
    sys.path.insert(0, str(Path(file).parent))
    measured = measure(Path(file), Path(folder), json.loads(settings), int(repeats))
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
