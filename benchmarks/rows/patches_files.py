"""What both sides of the patch table's row read: a specimen of 1024^3 voxels, and not from memory.

The table needs the mask, the class map and the region at the cochlea (8 bit). The CT and the
micro-CT stand beside them as files with nothing in them (sparse), since they are mapped but not
read.
"""

import os
from pathlib import Path

import nibabel
import numpy as np

SLAB = 16
READ = ("mask", "classmap", "cochlea")


def write_specimen(folder: Path, edge: int) -> None:
    """Write the volumes of a pair, unless they are there."""
    folder.mkdir(exist_ok=True)
    if (folder / "cochlea.nii").exists():
        return
    random = np.random.default_rng(1)
    classes = random.integers(0, 3, (SLAB, edge // 8, edge // 8)).astype(np.uint8)
    mask = np.ones((SLAB, edge, edge), np.uint8)
    mask[:, : edge // 16] = 0
    for name in ("ct", "microct"):
        with (folder / f"{name}.nii").open("wb") as stream:
            _write_header(stream, edge, np.float32)
            stream.truncate(stream.tell() + 4 * edge**3)
    _write_slabs(folder / "mask.nii", mask, edge)
    _write_slabs(folder / "classmap.nii", classes.repeat(8, 1).repeat(8, 2), edge)
    _write_slabs(folder / "cochlea.nii", (mask == 0).astype(np.uint8), edge)


def _write_slabs(path: Path, slab: np.ndarray, edge: int) -> None:
    with path.open("wb") as stream:
        _write_header(stream, edge, np.uint8)
        for shift in range(edge // SLAB):
            # No two slabs are the same.
            stream.write(np.roll(slab, shift, axis=1).tobytes())
        stream.flush()
        os.fsync(stream.fileno())


def _write_header(stream, edge: int, dtype: type) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((edge,) * 3)
    header.set_data_dtype(dtype)
    header["magic"], header["vox_offset"] = b"n+1", 352
    stream.write(header.binaryblock + bytes(4))


def forget(folder: Path) -> None:
    """Ask the system to drop the files from its cache, so that they come from the disk."""
    for name in READ:
        with (folder / f"{name}.nii").open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
