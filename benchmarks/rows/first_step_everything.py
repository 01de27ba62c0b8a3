"""A process that imports everything that otosynth uses, and does nothing.

It is what a job would wait for if each imported all that the project needs. Counted are CPU seconds
from the start of Python to its end.
"""

import sys
from pathlib import Path

from workflow_runs import timed

STARTS_PROCESSES = True

EVERYTHING = (
    "torch, monai, SimpleITK, matplotlib.pyplot, pandas, torch.utils.tensorboard, skimage.filters, "
    "skimage.metrics, nibabel, pydantic, scipy.ndimage, scipy.stats"
)


def prepare(folder: Path, settings: dict) -> Path:
    """Nothing but a folder to run in."""
    return folder


def run(folder: Path) -> dict:
    """Import everything."""
    return {"seconds": timed([sys.executable, "-c", f"import {EVERYTHING}"], folder)["cpu"]}
