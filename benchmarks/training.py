"""Speed, memory and loss curves of one training in float32 and in bfloat16, and its resume.

Times steps of each of the thesis's methods, with any width and patch size, on the ears of a
finished study or, without one, on a random pair; then trains as many in each precision, and once
more, stopped in the middle and continued, and compares the bytes. From the steps' seconds follows
how long the thesis's six trainings would take. Runs where there is torch alone (with nibabel,
pandas, pydantic, safetensors and TensorBoard). On CUDA GPUs "float32" convolves in TF32, torch's
default.

    python benchmarks/bench.py training results/phantom --width 64 --size 96 --steps 50
    python benchmarks/bench.py training --width 64 --size 192 --recompute --precision bfloat16
"""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from math import prod
from pathlib import Path

import pandas as pd
import torch

from otosynth.configuration.methods import method_settings
from otosynth.errors import Stopped
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import VOLUMES, Pair, open_pairs
from otosynth.patches import patch_table
from otosynth.provenance.circumstances import peak_memory_mib
from otosynth.training.arithmetic import Arithmetic, resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.trainer import Job, Trainer

sys.path.insert(0, str(Path(__file__).parent / "rows"))
from step_work import WEIGHTS, WINDOWS, operations, random_pair

# A point of the loss curve is the mean of this many steps.
STEPS_PER_POINT = 5
MIB = 1024**2
# The thesis's trainings: models, one for each of three groups; patches; epochs (III.1, IV).
THESIS = {"single_task": (3, 5000, 200), "multi_task": (3, 625, 200)}
THESIS_STEPS = {method: prod(numbers) for method, numbers in THESIS.items()}


def make_trainer(
    arguments: argparse.Namespace, method: str, arithmetic: Arithmetic, folder: Path
) -> Trainer:
    """Return a trainer on all ears of a study, an epoch of which is a point of the loss curve."""
    points = arguments.steps // STEPS_PER_POINT
    keys = {
        "title": "benchmark", "width": arguments.width, "norm": "layer",
        "loss_weights": WEIGHTS[method], "epochs": points, "constant_epochs": points,
        "steps_per_epoch": STEPS_PER_POINT, "checkpoint_every": points,
    }  # fmt: skip
    pairs, windows = pairs_of(arguments)
    table = patch_table(pairs, arguments.size, arguments.size // 4)
    # One patch validates, so that the training's steps are what is timed.
    training, validation = (
        PatchReader(rows, pairs, windows, arithmetic) for rows in (table, table.head(1))
    )
    job = Job("benchmark", 1, folder, state_minutes=1e6, recompute=arguments.recompute)
    settings = method_settings(method, keys)
    return Trainer(create_method(settings), training, validation, arithmetic, job)


def pairs_of(arguments: argparse.Namespace) -> tuple[Mapping[str, Pair], Normalisation]:
    """Return the ears of a finished study, or a random pair of the size of a patch."""
    if arguments.results is None:
        return {"random": random_pair(arguments.size)}, WINDOWS
    ears = sorted(path.name for path in (arguments.results / "specimens").iterdir())
    files = [str(arguments.results / f"specimens/{ear}/{name}.nii") for ear in ears
             for name in VOLUMES]  # fmt: skip
    windows = next(arguments.results.glob("groups/*/normalisation.json"))
    return open_pairs(files, dict.fromkeys(ears, False)), Normalisation.read(windows)


def seconds_of_step(trainer: Trainer, steps: int) -> float:
    """Return the seconds of one of ``steps`` steps, each with its patch read; nothing is saved.

    As in a training: a patch is read while the GPU does the step before, whose losses are then
    looked at. The first two steps, which warm up and are noted down for later ones, do not count.
    """
    do_step, started = trainer.step_of(epoch=0), 0.0
    batch = trainer.patches.read(0, 0)
    for step in range(-2, steps):
        if step == 0:
            started = time.perf_counter()
        losses = do_step(batch)
        batch = trainer.patches.read(step % len(trainer.reader), step + 2)
        trainer.team.average(losses)
    return (time.perf_counter() - started) / steps


def peak_mib(arithmetic: Arithmetic) -> float:
    """Return the most memory taken so far: of the GPU, or of this process (MiB)."""
    if arithmetic.device.type == "cuda":
        return torch.cuda.max_memory_reserved() / MIB
    return peak_memory_mib()


def measure(
    arguments: argparse.Namespace, method: str, precision: str, root: Path
) -> tuple[dict, pd.Series]:
    """Train in a precision; return the speed and memory, and the weighted L1 by step."""
    arithmetic = resolve_arithmetic(arguments.device, precision, arguments.threads)
    if arithmetic.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    folder = root / method / precision
    trainer = make_trainer(arguments, method, arithmetic, folder)
    s_per_step = seconds_of_step(trainer, arguments.steps)
    trainer = make_trainer(arguments, method, arithmetic, folder)
    started = time.perf_counter()
    history = trainer.train()
    seconds = time.perf_counter() - started
    peak = peak_mib(arithmetic)
    # After the peak: to be counted, convolutions take torch's own way, which can need more.
    gflop = operations(lambda: trainer._step(trainer.reader.read(0), epoch=0))
    row = {
        "method": method,
        "device": arithmetic.describe().split(", CUDA")[0],
        "width": arguments.width,
        "patch": arguments.size,
        "steps": arguments.steps,
        "s_per_step": s_per_step,
        "Tflop/s": gflop / s_per_step / 1000,
        "peak_mib": peak,
        "same_bytes_after_stop": continues_to_same_bytes(
            arguments, method, arithmetic, folder, seconds
        ),
    }
    curve = history.set_index("epoch")["weighted_l1"].rename(f"{method}, {precision}")
    return row, curve


def continues_to_same_bytes(
    arguments: argparse.Namespace,
    method: str,
    arithmetic: Arithmetic,
    undisturbed: Path,
    seconds: float,
) -> bool:
    """Train again, stopped by SIGTERM at half time and continued; compare the last checkpoint."""
    folder = undisturbed.with_name(f"{undisturbed.name}-stopped")
    alarm = threading.Timer(seconds / 2, os.kill, (os.getpid(), signal.SIGTERM))
    alarm.start()
    try:
        make_trainer(arguments, method, arithmetic, folder).train()
        raise SystemExit("The training ended before it was stopped: give it more steps.")
    except Stopped:
        make_trainer(arguments, method, arithmetic, folder).train()
    first, second = (
        next((trained / "checkpoints").iterdir()).read_bytes() for trained in (undisturbed, folder)
    )
    return first == second


def hours_of_thesis(rows: pd.DataFrame) -> pd.Series:
    """Return, by precision, the hours of all steps of the thesis at the measured speeds."""
    steps = rows["method"].map(THESIS_STEPS)
    return (steps * rows["s_per_step"] / 3600).groupby(rows["device"]).sum()


def main(words: list[str]) -> None:
    """Measure every precision and print the tables."""
    parser = argparse.ArgumentParser("bench.py training", description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="?", help="a finished study; none: a random pair"
    )
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--size", type=int, default=96, help="edge of a patch (voxels)")
    parser.add_argument("--steps", type=int, default=50, help="a multiple of 5")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--method", nargs="+", choices=list(WEIGHTS), default=list(WEIGHTS))
    parser.add_argument("--recompute", action="store_true", help="as training.recompute")
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        measured = [
            measure(arguments, method, precision, Path(folder))
            for method in arguments.method
            for precision in arguments.precision
        ]
    rows = pd.DataFrame([row for row, _ in measured])
    print(rows.to_string(index=False))
    print("\nThe steps of the thesis,", sum(THESIS_STEPS[name] for name in arguments.method))
    print(f"({', '.join(arguments.method)}), would take, in hours:")
    print(hours_of_thesis(rows).to_string())
    print("\nWeighted L1, mean of each", STEPS_PER_POINT, "steps:")
    print(pd.concat([curve for _, curve in measured], axis=1).to_string())
