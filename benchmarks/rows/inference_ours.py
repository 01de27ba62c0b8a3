"""Our whole-volume inference: `Predictor` with a generator of random weights on a noisy CT.

Leaves the CT, the traced generator and the predicted micro-CT in the folder for the peers. The
class map is not part of this row. Memory is the peak over what is held once the network is loaded
and has seen a tiny patch (`peers/memory.py`), of all repeats. Ours maps the CT, as its files are
mapped in a study, and its pages count; the peer reads it, as MONAI's own loaders do.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers.memory import PeakMemory

from otosynth.configuration.methods import method_settings
from otosynth.inference import Ear, Predictor
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation, Window
from otosynth.patches import patch_corners
from otosynth.training.arithmetic import resolve_arithmetic

# What the networks see and say is in [-1, 1], and so is this CT: the peers need no window.
IDENTITY = Normalisation(Window(-1, 1), Window(-1, 1), ())

# Edge of a patch that the network sees before the memory counts: so small that the libraries are
# loaded, and hardly anything else.
WARM_UP = 16


def prepare(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Build the network, and write the CT."""
    method = create_method(
        method_settings(
            "single_task",
            {
                "title": "benchmark", "width": settings["width"], "norm": "layer",
                "loss_weights": {"weighted_l1": 5, "perception": 10},
                "prediction": {"overlap": settings["overlap"]},
            },
        )
    )  # fmt: skip
    networks = {name: network.eval() for name, network in method.build_networks(1).items()}
    ct = np.random.default_rng(1).uniform(-1, 1, (settings["edge"],) * 3).astype(np.float32)
    np.save(folder / "ct.npy", ct)
    np.save(folder / "mask.npy", np.ones(ct.shape, np.uint8))
    del ct
    arithmetic = resolve_arithmetic("cpu", "float32", 1)
    with torch.inference_mode(), arithmetic.for_networks():
        networks["generator"](torch.zeros(1, 1, *(WARM_UP,) * 3))
    return {
        "folder": folder,
        "predictor": Predictor(method, networks, IDENTITY, arithmetic, settings["patch"]),
        "memory": PeakMemory(),
    }


def run(prepared: dict[str, Any]) -> dict[str, float]:
    """Predict the whole volume."""
    folder, predictor = prepared["folder"], prepared["predictor"]
    started = time.perf_counter()
    with prepared["memory"] as memory:
        ct, mask = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("ct", "mask"))
        corners = patch_corners(ct.shape, predictor.size)
        predicted = predictor.predict(Ear(ct, mask), corners, lambda microct, _: microct)
    seconds = time.perf_counter() - started
    np.save(folder / "ours.npy", predicted.microct)
    _leave_generator(folder / "generator.pt", predictor)
    return {"seconds": seconds, "memory MB": memory.mb}


def _leave_generator(file: Path, predictor: Predictor) -> None:
    """Trace the generator for the peers; after the run, since it takes memory."""
    if not file.exists():
        patch = torch.zeros(1, 1, *(predictor.size,) * 3)
        with torch.inference_mode():
            torch.jit.save(torch.jit.trace(predictor.networks["generator"], patch), str(file))
