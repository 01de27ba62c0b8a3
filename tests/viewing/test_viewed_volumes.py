"""Volumes as the viewer reads them."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.viewing import volumes
from otosynth.viewing.volumes import encoded, keys_of, manifest


def decoded(ear, key, bits=8):
    return nibabel.nifti1.Nifti1Image.from_bytes(encoded(ear, key, bits))


def test_an_ear_has_its_scans_and_each_method_s_volumes_and_errors(viewed):
    assert list(keys_of(viewed.ears[0])) == [
        "E1/ct", "E1/microct", "E1/classmap", "E1/atlas/classmap", "E1/atlas/errors",
        "E1/gan/microct", "E1/gan/classmap", "E1/gan/errors",
    ]  # fmt: skip


def test_eight_bits_hold_the_window_and_sixteen_all(viewed):
    [ear] = viewed.ears
    small, large = decoded(ear, "E1/ct", 8), decoded(ear, "E1/ct", 16)
    assert small.get_data_dtype() == np.uint8
    assert (small.get_fdata().min(), small.get_fdata().max()) == pytest.approx((-1000, 2500), abs=1)
    assert (large.get_fdata().min(), large.get_fdata().max()) == pytest.approx((-1500, 3000), abs=1)


def test_volumes_keep_their_place(viewed):
    [ear] = viewed.ears
    image = sitk.ReadImage(str(ear.folder / "ct.nii"))
    x, y, z = image.TransformIndexToPhysicalPoint((3, 2, 1))
    affine = decoded(ear, "E1/ct").affine
    assert affine @ (3, 2, 1, 1) == pytest.approx((-x, -y, z, 1))


def test_classes_stand_inside_the_mask_only(viewed, truth):
    shown = decoded(viewed.ears[0], "E1/classmap").get_fdata().T
    assert (shown[0] == 0).all()
    assert (shown[1:] == truth[1:] + 1).all()


def test_an_error_has_the_class_that_was_predicted(viewed):
    errors = decoded(viewed.ears[0], "E1/atlas/errors").get_fdata().T
    assert [tuple(place) for place in np.argwhere(errors)] == [(4, 4, 4)]
    assert errors[4, 4, 4] == 2 + 1


def test_a_prediction_on_a_coarser_grid_is_brought_to_the_truth_s(viewed):
    assert not decoded(viewed.ears[0], "E1/gan/errors").get_fdata().any()
    assert decoded(viewed.ears[0], "E1/gan/microct").shape == (4, 4, 4)


def test_a_volume_too_large_for_a_browser_is_shown_coarser(viewed, monkeypatch):
    monkeypatch.setattr(volumes, "MOST_VOXELS", 100)
    scan, labels = (decoded(viewed.ears[0], f"E1/{name}") for name in ("ct", "classmap"))
    assert scan.shape == labels.shape == (4, 4, 4)
    assert scan.header.get_zooms() == (1, 1, 1)


def test_the_manifest_names_only_what_can_be_loaded(viewed):
    keys = {"E1/ct", "E1/microct", "E1/classmap", "E1/atlas/classmap", "E1/atlas/errors"}
    [ear] = manifest(viewed, keys)["ears"]
    assert ear["methods"] == ["atlas"]
    assert set(ear["volumes"]) == keys
    assert manifest(viewed, set())["ears"] == []


def test_a_damaged_volume_is_refused(viewed):
    (viewed.ears[0].folder / "ct.nii").write_bytes(b"no volume")
    with pytest.raises(InputError, match=r"ct\.nii"):
        encoded(viewed.ears[0], "E1/ct", 8)
