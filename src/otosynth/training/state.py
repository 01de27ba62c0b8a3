"""The resumable state of a training: saved whole, verified when read.

docs/architecture.md has the contract.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from otosynth.errors import InputError
from otosynth.files import remove_leftovers, sha256_of, write_bytes, write_json
from otosynth.settings import dotted
from otosynth.training.adam import Adam
from otosynth.training.checkpoints import (
    CHECKPOINTS,
    encode,
    load_networks,
    network_tensors,
    read_tensors,
)

logger = logging.getLogger(__name__)

DIGITS_OF_HASH = 16
KEPT_STATES = 2
DECIDED_BY = "decided_by.json"


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
    steps
        Steps of all epochs, kept as well: a budget of operations may have decided them.
    checkpoints
        SHA-256 of each checkpoint file written so far, by name.
    """

    precision: str
    steps: int
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)


def state_folder(
    root: Path, title: str, decisions: Mapping[str, Any], inputs: Iterable[str]
) -> Path:
    """Return the folder of the training that these decisions and inputs define.

    A changed decision or input gives another folder, so a stale state is never resumed. A new
    folder for a training that had another before is told, with what has changed.

    Parameters
    ----------
    root
        ``.state/<study>``.
    title
        The training in words, e.g. ``multi_task, group A, seed 1``.
    decisions
        All settings, seeds and code digests that the training reads (plain data).
    inputs
        Files that it reads; their contents count, not their names' dates.
    """
    files = {str(path): sha256_of(Path(path)) for path in inputs}
    text = json.dumps([dict(decisions), files], sort_keys=True, default=list)
    folder = root / hashlib.sha256(text.encode()).hexdigest()[:DIGITS_OF_HASH]
    decided_by = {"training": title, **dotted(json.loads(text)[0]), **files}
    if not (folder / DECIDED_BY).exists():
        _tell_changes(root, decided_by)
        write_json(decided_by, folder / DECIDED_BY)
    return folder


def _tell_changes(root: Path, decided_by: Mapping[str, Any]) -> None:
    """Say what parts a training that starts afresh from its newest earlier state."""
    earlier = []
    for path in root.glob(f"*/{DECIDED_BY}"):
        before = json.loads(path.read_text(encoding="utf-8"))
        if before.get("training") == decided_by["training"]:
            earlier.append((path.stat().st_mtime_ns, path.parent, before))
    if not earlier:
        return
    _, folder, before = max(earlier)
    changed = [
        key for key in sorted({*decided_by, *before}) if decided_by.get(key) != before.get(key)
    ]
    logger.info(
        "%s: starts from the first epoch. Since the state in %s these changed: %s",
        decided_by["training"], folder, ", ".join(changed),
    )  # fmt: skip


def save_state(
    folder: Path,
    progress: Progress,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Adam],
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
        old.unlink(missing_ok=True)


def load_state(
    folder: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Adam],
) -> Progress | None:
    """Restore the newest whole state; ``None`` where there is none.

    A damaged file is set aside with a message, and the one before it is used. So is a state
    whose checkpoints are no longer what they were: it could not give them again.
    """
    for path in reversed(_states(folder)):
        if sha256_of(path)[:DIGITS_OF_HASH] != path.stem.rsplit("-", 1)[1]:
            _set_aside(path, "is damaged")
            continue
        tensors, facts = read_tensors(path)
        progress = Progress(**facts)
        spoiled = _spoiled_checkpoint(folder, progress)
        if spoiled:
            _set_aside(path, f"needs {spoiled}, which is missing or changed")
            continue
        load_networks(networks, tensors)
        for name, optimiser in optimisers.items():
            _load_optimiser(optimiser, f"optimiser.{name}.", tensors)
        return progress
    return None


def clean_state_folder(folder: Path) -> None:
    """Remove what a killed process left half-written. Only the holder of the lock may."""
    for place in (folder, folder / CHECKPOINTS):
        remove_leftovers(place)


def _set_aside(path: Path, why: str) -> None:
    logger.warning("%s %s; it is set aside and the state before it is used.", path, why)
    path.rename(path.with_suffix(".damaged"))


def _spoiled_checkpoint(folder: Path, progress: Progress) -> Path | None:
    for name, digest in progress.checkpoints.items():
        path = folder / CHECKPOINTS / name
        if not path.exists() or sha256_of(path) != digest:
            return path
    return None


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*.safetensors"))


def _optimiser_tensors(optimisers: Mapping[str, Adam]) -> dict[str, Tensor]:
    return {
        f"optimiser.{name}.{key}": tensor
        for name, optimiser in optimisers.items()
        for key, tensor in optimiser.tensors().items()
    }


def _load_optimiser(optimiser: Adam, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    optimiser.load(
        {k.removeprefix(prefix): tensor for k, tensor in tensors.items() if k.startswith(prefix)}
    )


def check_resumable(progress: Progress, precision: str, steps: int) -> None:
    """Refuse to go on otherwise than a training began.

    Its precision (docs/method.md, section 7) and its steps are kept.

    Raises
    ------
    InputError
        Says what differs and what to do.
    """
    if progress.precision != precision:
        raise InputError(
            f"This training began in {progress.precision}, but here it would go on in {precision}. "
            f"Set training.precision to {progress.precision}, or continue on a machine like the "
            "first."
        )
    if progress.steps != steps:
        raise InputError(
            f"This training began with {progress.steps} steps in all, but here it would go on "
            f"with {steps}: operations are counted otherwise by this version of torch. Continue "
            "with the version of the lock, or delete the state folder."
        )
