"""The resumable state of a training: saved whole, verified when read (design.md, Contracts)."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otosynth.errors import InputError
from otosynth.files import sha256_of, write_bytes
from otosynth.training.checkpoints import encode, load_networks, network_tensors, read_tensors

logger = logging.getLogger(__name__)

DIGITS_OF_HASH = 16
KEPT_STATES = 2


@dataclass
class Progress:
    """Where a training stands: all chance is a function of these and the seed.

    Attributes
    ----------
    epoch
        Epochs finished.
    step
        Steps done within the epoch under way.
    sums
        Losses summed over those steps.
    history
        One row a finished epoch.
    precision
        Resolved at the first step, then kept.
    """

    precision: str
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def state_folder(root: Path, decisions: Mapping[str, Any], inputs: Iterable[str]) -> Path:
    """Return the folder of the training that these decisions and inputs define.

    Parameters
    ----------
    root
        ``.state/<study>``.
    decisions
        All settings, seeds and code digests that the training reads (plain data).
    inputs
        Files that it reads; their contents count, not their names' dates.

    A changed decision or input gives another folder, so a stale state is never resumed.
    """
    files = {str(path): sha256_of(Path(path)) for path in inputs}
    text = json.dumps([dict(decisions), files], sort_keys=True, default=list)
    return root / hashlib.sha256(text.encode()).hexdigest()[:DIGITS_OF_HASH]


def save_state(
    folder: Path,
    progress: Progress,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Save a state beside the one before it, and delete older ones.

    The file's name holds its own hash, so a damaged file is recognised.
    """
    tensors = network_tensors(networks) | _optimiser_tensors(optimisers)
    data = encode(tensors, asdict(progress))
    digest = hashlib.sha256(data).hexdigest()[:DIGITS_OF_HASH]
    name = f"state-{progress.epoch:05d}-{progress.step:07d}-{digest}.safetensors"
    write_bytes(folder / name, data)
    for old in _states(folder)[:-KEPT_STATES]:
        old.unlink()


def load_state(
    folder: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> Progress | None:
    """Restore the newest whole state; ``None`` where there is none.

    A damaged file is set aside with a message, and the one before it is used.
    """
    for path in reversed(_states(folder)):
        if sha256_of(path)[:DIGITS_OF_HASH] != path.stem.rsplit("-", 1)[1]:
            logger.warning("%s is damaged; it is set aside and the one before it is used.", path)
            path.rename(path.with_suffix(".damaged"))
            continue
        tensors, facts = read_tensors(path)
        load_networks(networks, tensors)
        for name, optimiser in optimisers.items():
            _load_optimiser(optimiser, f"optimiser.{name}.", tensors)
        return Progress(**facts)
    return None


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def _optimiser_tensors(optimisers: Mapping[str, torch.optim.Optimizer]) -> dict[str, Tensor]:
    return {
        f"optimiser.{name}.{index}.{key}": value
        for name, optimiser in optimisers.items()
        for index, moments in optimiser.state_dict()["state"].items()
        for key, value in moments.items()
    }


def _load_optimiser(
    optimiser: torch.optim.Optimizer, prefix: str, tensors: Mapping[str, Tensor]
) -> None:
    moments: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name.removeprefix(prefix).split(".")
            moments.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def check_precision(progress: Progress, precision: str) -> None:
    """Refuse to go on in another precision than the training began with (method 7)."""
    if progress.precision != precision:
        raise InputError(
            f"This training began in {progress.precision}, but here it would go on in {precision}. "
            f"Set training.precision to {progress.precision}, or continue on a machine like the "
            "first."
        )
