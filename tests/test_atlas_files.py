"""An ear as an atlas: what its micro-CT did not measure says nothing."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.atlas import carry_class_map, carry_ct
from otosynth.atlas_files import read_atlas
from otosynth.fusion import NO_VOTE, majority_vote
from otosynth.priors import mean_microct
from otosynth.tissues import BONE, SOFT
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like, mirror
from otosynth.volumes.writing import write_volume

SHAPE = (8, 20, 24)


def write_ear(folder, padded):
    """Bone everywhere in the class map; of a padded ear the first columns were not measured."""
    microct = np.random.default_rng(3).normal(0.04, 0.005, SHAPE).astype(np.float32)
    microct[:, :, :padded] = 0
    frame = sitk.GetImageFromArray(microct)
    frame.SetSpacing((0.1, 0.1, 0.1))
    write_volume(frame, folder / "microct.nii")
    write_volume(image_like(np.full(SHAPE, BONE, np.uint8), frame), folder / "classmap.nii")
    return frame


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_was_not_measured_has_no_vote_and_no_value(tmp_path, mirrored):
    frame = write_ear(tmp_path, padded=5)
    ear = read_atlas(tmp_path, ["classmap", "microct"], mirrored)
    classes, values = array_of(ear["classmap"]), array_of(ear["microct"])
    nowhere = np.zeros(SHAPE, bool)
    nowhere[:, :, slice(-5, None) if mirrored else slice(0, 5)] = True
    assert ((classes == NO_VOTE) == nowhere).all()
    assert (classes[~nowhere] == BONE).all()
    assert (np.isnan(values) == nowhere).all()
    expected = array_of(mirror(frame) if mirrored else frame)
    assert (values[~nowhere] == expected[~nowhere]).all()


def test_an_ear_that_was_measured_everywhere_is_read_as_it_is(tmp_path):
    frame = write_ear(tmp_path, padded=0)
    ear = read_atlas(tmp_path, ["classmap", "microct"], mirrored=False)
    assert (array_of(ear["microct"]) == array_of(frame)).all()
    assert (array_of(ear["classmap"]) == BONE).all()


def test_others_decide_where_an_atlas_was_not_measured(tmp_path):
    frame = write_ear(tmp_path, padded=5)
    ear = read_atlas(tmp_path, ["classmap", "microct"], mirrored=False)
    by = sitk.TranslationTransform(3, (-0.1, 0, 0))
    carried = array_of(carry_class_map(ear["classmap"], by, frame))
    other = np.full(SHAPE, SOFT, np.uint8)
    fused = majority_vote([carried, carried, other])
    # One column further along x; the first of all lies outside the atlas.
    assert (fused[:, :, :6] == SOFT).all()
    assert (fused[:, :, 6:] == BONE).all()
    value = array_of(carry_ct(ear["microct"], by, frame))
    mean = mean_microct([value, np.full(SHAPE, 0.5, np.float32)])
    assert (mean[:, :, :6] == 0.5).all()
    # What is interpolated from a voxel that was not measured is not known either.
    assert (mean[:, :, 7:] < 0.4).all()
