"""Ours: the patch table of one large specimen, as the script `tabulate_patches` makes it.

The files are dropped from the system's cache before the run that counts; `seconds cached` is a
second run right after it.
"""

import time
from pathlib import Path

from patches_files import forget, write_specimen

from otosynth.pairs import VOLUMES, open_pairs
from otosynth.patches import patch_table


def prepare(folder: Path, settings: dict) -> tuple[Path, dict]:
    """Write the specimen unless it is there."""
    write_specimen(folder / "E1", settings["edge"])
    return folder / "E1", settings


def run(prepared: tuple[Path, dict]) -> dict[str, float]:
    """Make the table, from the disk and from the cache."""
    folder, settings = prepared
    forget(folder)
    seconds, cached = (tabulate(folder, settings) for _ in range(2))
    return {"seconds": seconds, "seconds cached": cached}


def tabulate(folder: Path, settings: dict) -> float:
    """Return the seconds that the table takes."""
    started = time.perf_counter()
    pairs = open_pairs([str(folder / f"{name}.nii") for name in VOLUMES], {"E1": False})
    patch_table(pairs, settings["size"], settings["overlap"], 0.05)
    return time.perf_counter() - started
