"""Our training step with what it computes and moves, for `bench.py growth`."""

from pathlib import Path
from typing import Any

import step_ours
import step_work


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the trainer, warm it up, and count the bytes of a step."""
    prepared = step_ours.prepare(folder, settings)
    trainer, batch = prepared["trainer"], prepared["batch"]
    return prepared | {"gbyte": step_work.traffic(lambda: trainer._step(batch, 0))}


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Train some steps; the seconds are those of one."""
    return step_ours.run(prepared) | {"GB": prepared["gbyte"]}
