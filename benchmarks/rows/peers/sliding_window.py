"""MONAI's `sliding_window_inference` of the same network, a window at a time.

Defaults but for what the row names: windows, overlap, and a Gaussian where they overlap. The
generator is the one of `inference_ours.py`, traced; its last layer's tanh is part of the predictor,
as in ours. Memory is counted as there. Where windows overlap, MONAI's weights have a higher floor
than ours (1e-3, not 1e-4), which differs at the borders of the volume; with the same weights both
agree (tests/test_inference.py).
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory import PeakMemory
from monai.inferers import sliding_window_inference

# As ours: before the memory counts, the network sees a patch with this edge.
WARM_UP = 16


def prepare(folder: Path, settings: dict[str, Any], batch: int = 1) -> dict[str, Any]:
    """Load the network."""
    network = torch.jit.load(str(folder / "generator.pt")).eval()
    with torch.inference_mode():
        # torch optimises a traced network at its second call.
        for _ in range(3):
            network(torch.zeros(batch, 1, *(WARM_UP,) * 3))
    return {
        "folder": folder, "network": network, "batch": batch, "memory": PeakMemory(),
        "size": settings["patch"], "overlap": settings["overlap"],
    }  # fmt: skip


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Predict the whole volume; the difference is from what ours left in the folder."""
    folder, network = prepared["folder"], prepared["network"]
    started = time.perf_counter()
    with torch.inference_mode(), prepared["memory"] as memory:
        predicted = sliding_window_inference(
            torch.from_numpy(np.load(folder / "ct.npy"))[None, None],
            prepared["size"],
            prepared["batch"],
            lambda window: torch.tanh(network(window)),
            overlap=prepared["overlap"],
            mode="gaussian" if prepared["overlap"] else "constant",
        )
    seconds = time.perf_counter() - started
    difference = np.abs(predicted[0, 0].numpy() - np.load(folder / "ours.npy"))
    return {
        "seconds": seconds, "memory MB": memory.mb,
        "max difference": float(difference.max()), "mean difference": float(difference.mean()),
    }  # fmt: skip
