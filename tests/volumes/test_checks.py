"""Refusing unusable intensities and swapped pairs."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.checks import check_intensities, check_pair
from otosynth.volumes.volume import Volume

PATH = Path("ear") / "ct.nrrd"


def volume(voxels: np.ndarray, spacing_mm: float = 1.0) -> sitk.Image:
    image = sitk.GetImageFromArray(voxels.astype(np.float32))
    image.SetSpacing([spacing_mm] * 3)
    return image


def ear(air: float, soft: float, bone: float, spacing_mm: float) -> sitk.Image:
    values = np.array([air, soft, bone])
    classes = np.random.default_rng(6).integers(0, 3, (10, 10, 10))
    noise = np.random.default_rng(7).normal(0, 0.01 * (bone - air), classes.shape)
    return volume(values[classes] + noise, spacing_mm)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_undefined_voxels_are_counted(bad):
    voxels = np.arange(27.0).reshape(3, 3, 3)
    voxels[1, 1, :2] = bad
    with pytest.raises(InputError, match=r"ct\.nrrd: 2 of 27 voxels are NaN or infinite"):
        check_intensities(volume(voxels), PATH)


def test_constant_volume_is_refused():
    with pytest.raises(InputError, match=r"ct\.nrrd: every voxel is -1024"):
        check_intensities(volume(np.full((3, 3, 3), -1024)), PATH)


def test_a_scan_passes():
    check_intensities(ear(-1000, 40, 1500, 0.3), PATH)


@pytest.mark.parametrize(
    "microct_values",
    [(0, 9, 90), (0.0, 0.2, 0.8), (-20000, 5000, 30000), (-1000, 40, 2500)],
    ids=["8 bit", "per cm", "signed 16 bit", "HU"],
)
def test_a_true_pair_passes_whatever_the_micro_ct_unit(microct_values):
    ct, microct = ear(-1000, 40, 1500, 0.3), ear(*microct_values, 0.0376)
    check_pair(Volume.of(ct), Volume.of(microct), "S1")


def test_swapped_spacing_is_refused():
    ct, microct = ear(-1000, 40, 1500, 0.3), ear(0, 9, 90, 0.0376)
    with pytest.raises(
        InputError,
        match=r"specimen S1: .*0\.3 mm\) are larger than the CT's \(0\.0376 mm\).*swapped",
    ):
        check_pair(Volume.of(microct), Volume.of(ct), "S1")


def test_swapped_units_on_one_grid_are_refused():
    ct, microct = ear(-1000, 40, 1500, 0.1), ear(0, 9, 90, 0.1)
    check_pair(Volume.of(ct), Volume.of(microct), "S1")
    with pytest.raises(InputError, match=r"specimen S1: the micro-CT \(.*Hounsfield.*swapped"):
        check_pair(Volume.of(microct), Volume.of(ct), "S1")
