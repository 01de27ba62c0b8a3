"""Training steps that read their patches from the .nii files, through `TrainingPatches`.

Reading and step are timed by turns in one process, since on a busy machine two processes differ by
more than the reading takes; ``share`` is the speed of both over the speed of the step alone, whose
data is in memory then. Patches come in the order of a training.
"""

import statistics
import time
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import step_work

from otosynth.pairs import VOLUMES, open_pairs
from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.schedule import patch_order
from otosynth.training.trainer import Job, Trainer
from otosynth.volumes.writing import write_volume

EARS = ("E1", "E2")


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Write two random ears, build the trainer and warm it up by a step."""
    files = [str(folder / ear / f"{volume}.nii") for ear in EARS for volume in VOLUMES]
    if not Path(files[-1]).exists():
        for seed, ear in enumerate(EARS):
            pair = step_work.random_pair(settings["edge"], seed)
            for volume in VOLUMES:
                image = sitk.GetImageFromArray(getattr(pair, volume))
                write_volume(image, folder / ear / f"{volume}.nii")
    pairs = open_pairs(files, dict.fromkeys(EARS, False))
    arithmetic = resolve_arithmetic("cpu", "auto", 1)
    size = settings["size"]
    reader = PatchReader(patch_table(pairs, size, size // 4), pairs, step_work.WINDOWS, arithmetic)
    job = Job("benchmark", 1, folder, state_minutes=1e6)
    trainer = Trainer(step_work.create(settings), reader, reader, arithmetic, job)
    trainer._step(reader.read(0), 0)
    order = patch_order(len(reader), settings["steps"], 1, 0)
    return {"trainer": trainer, "order": [int(index) for index in order]}


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Read and train on every patch; the seconds are those of one patch."""
    trainer = prepared["trainer"]
    reading, alone = [], []
    for step, index in enumerate(prepared["order"]):
        started = time.perf_counter()
        batch = trainer.patches.read(index, step)
        read = time.perf_counter()
        trainer._step(batch, 0)
        reading.append(read - started)
        alone.append(time.perf_counter() - read)
    step_alone = statistics.median(alone)
    seconds = statistics.median(reading) + step_alone
    return {
        "seconds": seconds,
        "reading ms": 1000 * (seconds - step_alone),
        "share": step_alone / seconds,
    }
