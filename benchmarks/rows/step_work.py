"""A method and a batch for the rows that time training steps, the same for ours and the port."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.memory import restart_peak
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from otosynth.configuration.methods import method_settings
from otosynth.methods import create_method
from otosynth.methods.base import Method
from otosynth.normalisation import Normalisation, Window
from otosynth.pairs import Pair
from otosynth.patches import patch_table
from otosynth.training.arithmetic import Arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.budget import count_operations
from otosynth.training.trainer import Job, Trainer

# Thesis, Eq. 5 and 6.
WEIGHTS = {
    "single_task": {"adversarial": 1, "weighted_l1": 5, "perception": 10, "dice": 0},
    "multi_task": {"adversarial": 1, "weighted_l1": 5, "perception": 5, "dice": 10},
}
WINDOWS = Normalisation(Window(-1000, 1000), Window(0, 1), ("ear",))


def create(settings: dict[str, Any]) -> Method:
    """Return ``settings["method"]`` of ``settings["width"]``, as the papers have it."""
    name = settings["method"]
    keys = {"title": name, "width": settings["width"], "loss_weights": WEIGHTS[name]}
    return create_method(method_settings(name, keys))


def random_pair(edge: int, seed: int = 1) -> Pair:
    """Return a pair (z, y, x) whose micro-CT has three levels in random places."""
    random = np.random.default_rng(seed)
    classmap = random.integers(0, 3, (edge,) * 3, np.uint8)
    microct = (classmap / 2 + random.normal(0, 0.02, classmap.shape)).astype(np.float32)
    ct = (2000 * microct - 1000).astype(np.float32)
    mask = np.ones(ct.shape, np.uint8)
    return Pair(ct, microct, mask, classmap, np.zeros_like(mask))


def make_trainer(
    settings: dict[str, Any], arithmetic: Arithmetic, folder: Path, recompute: bool = False
) -> Trainer:
    """Return a trainer of ``create``'s method on a random pair of the patch's size."""
    size = settings["size"]
    pairs = {"ear": random_pair(size)}
    reader = PatchReader(patch_table(pairs, size, 0), pairs, WINDOWS, arithmetic)
    job = Job("benchmark", 1, folder, state_minutes=1e6, recompute=recompute)
    return Trainer(create(settings), reader, reader, arithmetic, job)


def operations(step: Callable[[], object]) -> float:
    """Return the Gflop of a step's convolutions and products, forward and backward."""
    return count_operations(step) / 1e9


def warm_up(step: Callable[[], object]) -> None:
    """Do a step as it is timed; from here on the peak of memory counts.

    To be counted, convolutions took torch's own way, which can need more.
    """
    restart_peak()
    step()


def traffic(step: Callable[[], object]) -> float:
    """Return the GB of the tensors that a step's operations read and write (1e9 bytes).

    Each operation's own inputs and outputs, as if nothing stayed in a cache between two of them.
    """
    with _Traffic() as counter:
        step()
    return counter.bytes / 1e9


class _Traffic(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # A view moves nothing.
        if not func.is_view:
            tensors = [t for t in tree_leaves((args, kwargs, result)) if torch.is_tensor(t)]
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return result


def parameters(*networks: torch.nn.Module) -> float:
    """Return the number of weights, in millions."""
    return sum(p.numel() for network in networks for p in network.parameters()) / 1e6
