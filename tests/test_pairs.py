"""Pairs are mapped, not copied, and seen from the working side."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.pairs import VOLUMES, open_pair, open_pairs
from otosynth.volumes.writing import write_volume


@pytest.fixture
def folder(tmp_path, pairs):
    for name in VOLUMES:
        image = sitk.GetImageFromArray(getattr(pairs["E1"], name))
        write_volume(image, tmp_path / "E1" / f"{name}.nii")
        write_volume(image[::2, ::2, ::2], tmp_path / "E1/x2" / f"{name}.nii")
    return tmp_path / "E1"


def test_voxels_are_mapped_from_disk(folder, pairs):
    pair = open_pair(folder, mirrored=False)
    for name in VOLUMES:
        np.testing.assert_array_equal(getattr(pair, name), getattr(pairs["E1"], name))
        assert isinstance(getattr(pair, name), np.memmap)
    mirrored = open_pair(folder, mirrored=True)
    np.testing.assert_array_equal(mirrored.ct, pairs["E1"].ct[..., ::-1])
    assert np.shares_memory(mirrored.ct, mirrored.ct.base)


def test_the_specimen_s_name_is_found_at_every_factor(folder):
    for place in (folder, folder / "x2"):
        files = [str(place / f"{name}.nii") for name in VOLUMES]
        assert list(open_pairs(files, {"E1": False})) == ["E1"]


def test_a_missing_volume_is_named(folder):
    (folder / "mask.nii").unlink()
    with pytest.raises(InputError, match=r"mask\.nii"):
        open_pair(folder, mirrored=False)
