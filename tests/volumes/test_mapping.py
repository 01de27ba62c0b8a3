"""Mapped volumes can be read ahead and let go of."""

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.volumes.mapping import let_go, map_voxels, read_ahead
from otosynth.volumes.writing import write_volume


def file_mib() -> float:
    """Memory of this process that is pages of files (MiB)."""
    return int(re.findall(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


def test_what_is_let_go_of_takes_no_memory_and_can_be_read_again(tmp_path):
    voxels = np.random.default_rng(4).integers(0, 255, (64, 512, 512)).astype(np.uint8)
    write_volume(sitk.GetImageFromArray(voxels), tmp_path / "v.nii")
    mapped = map_voxels(tmp_path / "v.nii")[:, :, ::-1]
    before = file_mib()
    read_ahead(mapped[:8])
    mapped.sum()
    assert file_mib() - before > 12
    let_go(mapped[:32])
    assert 4 < file_mib() - before < 12
    let_go(mapped)
    assert file_mib() - before < 4
    np.testing.assert_array_equal(mapped, voxels[:, :, ::-1])


@pytest.mark.parametrize("step", [read_ahead, let_go])
def test_arrays_that_are_not_mapped_and_empty_ones_stay(tmp_path, step):
    array = np.arange(8.0)
    step(array[::2])
    np.testing.assert_array_equal(array, np.arange(8.0))
    write_volume(sitk.GetImageFromArray(np.ones((4, 4, 4))), tmp_path / "v.nii")
    step(map_voxels(tmp_path / "v.nii")[4:])


def test_what_was_changed_in_memory_alone_is_kept(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(10_000))
    changed = np.load(tmp_path / "a.npy", mmap_mode="c")
    changed[:] = 1
    let_go(changed)
    assert changed.min() == 1
