"""Ours: the class map of a micro-CT, by otosynth.classmap.

The volume has three grey levels in smooth blobs, and noise; 37.6 um voxels, so the ball is the one
of the defaults (a voxel and its six neighbours). The mask leaves a border out, as that of a
registered pair does. Volumes are counted over what the interpreter held before the input was
read: the input itself counts.
"""

import time
from pathlib import Path

import numpy as np
from peers.memory import PeakMemory
from scipy import ndimage

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings

LEVELS = np.array([0.05, 0.25, 0.7], np.float32)


def make_microct(edge: int) -> np.ndarray:
    """Return three tissues in blobs, with noise (float32, z, y, x): two periods along each axis."""
    random = np.random.default_rng(1)
    field = ndimage.gaussian_filter(random.normal(size=(edge // 8,) * 3), 3, mode="wrap")
    field = ndimage.zoom(field.astype(np.float32) / field.std(), 4, order=1, mode="grid-wrap")
    block = LEVELS[np.digitize(field, [-0.6, 0.7])]
    block += random.normal(0, 0.1, block.shape).astype(np.float32)
    return np.tile(block, (2, 2, 2))


def make_mask(edge: int) -> np.ndarray:
    """Return True but for a border of a 32nd of the edge."""
    mask = np.zeros((edge,) * 3, bool)
    inner = slice(edge // 32, -edge // 32)
    mask[inner, inner, inner] = True
    return mask


def prepare(folder: Path, settings: dict) -> tuple:
    """Leave the volume and the mask for all sides, in another process: its memory is not ours."""
    import multiprocessing

    if not (folder / "mask.npy").exists():
        process = multiprocessing.Process(target=_write, args=(folder, settings["edge"]))
        process.start()
        process.join()
    memory = PeakMemory()
    return memory, np.load(folder / "microct.npy"), np.load(folder / "mask.npy"), folder, settings


def _write(folder: Path, edge: int) -> None:
    np.save(folder / "microct.npy", make_microct(edge))
    np.save(folder / "mask.npy", make_mask(edge))


def run(prepared: tuple) -> dict[str, float]:
    """Threshold and close; leave the class map for the peer to compare with."""
    memory, microct, mask, folder, settings = prepared
    started = time.perf_counter()
    with memory:
        made = class_map_from_microct(
            microct, mask, (settings["voxel_mm"],) * 3, ClassMapSettings(bins=settings["bins"])
        )
    seconds = time.perf_counter() - started
    volumes = memory.mb * 2**20 / microct.nbytes
    np.save(folder / "classmap.npy", made.labels)
    return {"seconds": seconds, "volumes": volumes}
