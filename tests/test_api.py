"""The steps of a notebook; those of docs/python.md run with the tests of the documents."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth import api
from otosynth.errors import InputError


def test_a_class_map_may_look_everywhere_or_inside_a_mask():
    ear = api.phantom_ear(spacing_mm=0.8, size_mm=12)
    everywhere = api.class_map(ear.microct)
    inside = api.class_map(ear.microct, ear.labels > 0)
    assert set(np.unique(api.voxels(everywhere))) == {0, 1, 2}
    assert everywhere.GetSize() == inside.GetSize()


def test_a_key_that_is_none_is_refused_in_words():
    with pytest.raises(InputError, match="spacing_mm: Input should be less than or equal to 1"):
        api.phantom_ear(spacing_mm=5)
    ear = sitk.Image(4, 4, 4, sitk.sitkFloat32)
    with pytest.raises(InputError, match="bin: unknown key"):
        api.class_map(ear, bin=3)


def test_an_image_with_nan_is_refused():
    image = sitk.Image(4, 4, 4, sitk.sitkFloat32) / 0
    with pytest.raises(InputError, match="64 of 64 voxels are NaN or infinite"):
        api.predict(image, "no/model")


def test_a_scan_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        api.read_scan(tmp_path / "none.nii.gz")
