"""Our training step with its activations kept, beside one that computes them again."""

from pathlib import Path
from typing import Any

import step_ours

run = step_ours.run


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the trainer and warm it up by a step."""
    return step_ours.prepare(folder, settings | {"recompute": False})
