"""Our training step, as `Trainer` does it, on a batch that is already in memory."""

import time
from pathlib import Path
from typing import Any

import step_work
import torch

from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.trainer import Job, Trainer


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the trainer and warm it up by a step."""
    arithmetic = resolve_arithmetic(
        settings.get("device", "cpu"), "auto", settings.get("threads", 1)
    )
    size = settings["size"]
    pairs = {"ear": step_work.random_pair(size)}
    reader = PatchReader(patch_table(pairs, size, 0), pairs, step_work.WINDOWS, arithmetic)
    recompute = settings.get("recompute", False)
    job = Job("benchmark", 1, folder, state_minutes=1e6, recompute=recompute)
    trainer = Trainer(step_work.create(settings), reader, reader, arithmetic, job)
    batch = reader.read(0)
    gflop = step_work.operations(lambda: trainer._step(batch, 0))
    step_work.warm_up(lambda: trainer._step(batch, 0))
    return {
        "trainer": trainer, "batch": batch, "steps": settings["steps"],
        "bf16": float(has_bfloat16(arithmetic.device)),
        "bf16 used": float(arithmetic.precision == "bfloat16"), "gflop": gflop,
    }  # fmt: skip


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the processor has instructions for bfloat16: the goal is higher there."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Train some steps; the seconds are those of one."""
    trainer, steps = prepared["trainer"], prepared["steps"]
    do_step = trainer.steps_of(0)
    started = time.perf_counter()
    for _ in range(steps):
        trainer.team.average(do_step(prepared["batch"]))
    return {
        "seconds": (time.perf_counter() - started) / steps,
        "bf16": prepared["bf16"],
        "bf16 used": prepared["bf16 used"],
        "Gflop": prepared["gflop"],
        "million weights": step_work.parameters(*trainer.networks.values()),
    }
