"""Our training step, as `Trainer` does it, on a batch that is already in memory."""

import time
from pathlib import Path
from typing import Any

import step_work
import torch

from otosynth.training.arithmetic import resolve_arithmetic


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the trainer and warm it up by a step."""
    arithmetic = resolve_arithmetic("cpu", "auto", settings.get("threads", 1))
    recompute = settings.get("recompute", False)
    trainer = step_work.make_trainer(settings, arithmetic, folder, recompute)
    batch = trainer.reader.read(0)
    gflop = step_work.operations(lambda: trainer._step(batch, 0))
    step_work.warm_up(lambda: trainer._step(batch, 0))
    return {
        "trainer": trainer, "batch": batch, "steps": settings["steps"],
        "bf16": float(has_bfloat16()),
        "bf16 used": float(arithmetic.precision == "bfloat16"), "gflop": gflop,
    }  # fmt: skip


def has_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16: the goal is higher there."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Train some steps; the seconds are those of one."""
    trainer, steps = prepared["trainer"], prepared["steps"]
    started = time.perf_counter()
    for _ in range(steps):
        trainer._step(prepared["batch"], 0)
    return {
        "seconds": (time.perf_counter() - started) / steps,
        "bf16": prepared["bf16"],
        "bf16 used": prepared["bf16 used"],
        "Gflop": prepared["gflop"],
        "million weights": step_work.parameters(*trainer.networks.values()),
    }
