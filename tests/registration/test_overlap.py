import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.registration import check_overlap, field_of_view_mask, resample_onto
from otosynth.volumes.grids import Grid


def cube(n, spacing_mm, first_face_mm):
    """Cube of n voxels a side whose first outer face lies at one place on each axis."""
    image = sitk.GetImageFromArray(np.zeros((n, n, n), dtype=np.float32))
    image.SetSpacing([spacing_mm] * 3)
    image.SetOrigin([first + spacing_mm / 2 for first in first_face_mm])
    return image


def test_mask_of_a_ct_that_covers_half():
    microct, ct = cube(20, 0.1, (0, 0, 0)), cube(5, 0.5, (1.0 + 50, -0.2, -0.2))
    shift = sitk.TranslationTransform(3, (50.0, 0.0, 0.0))

    mask = field_of_view_mask(ct, shift, Grid.of(microct))

    expected = np.zeros((20, 20, 20), dtype=np.uint8)
    expected[:, :, 10:] = 1
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert mask.GetOrigin() == microct.GetOrigin()
    assert np.array_equal(sitk.GetArrayFromImage(mask), expected)


def test_too_little_overlap_is_refused_by_name():
    microct, ct = cube(20, 0.1, (0, 0, 0)), cube(5, 0.5, (1.0, -0.2, -0.2))
    mask = field_of_view_mask(ct, sitk.Transform(), Grid.of(microct))

    check_overlap(mask, "S3_1", RegistrationSettings(min_overlap=0.49))
    with pytest.raises(InputError, match="S3_1: the CT covers 50 % of the micro-CT"):
        check_overlap(mask, "S3_1", RegistrationSettings(min_overlap=0.51))


def test_resampling_follows_a_smooth_field_and_fills_outside():
    reference = cube(20, 0.1, (0, 0, 0))
    ct = cube(12, 0.25, (-0.5, -0.5, 0.5))
    z, y, x = np.meshgrid(*[np.arange(12) * 0.25] * 3, indexing="ij")
    values = sitk.GetImageFromArray((100 * np.sin(x) + 10 * y - 50 * z**2).astype(np.float32))
    values.CopyInformation(ct)

    onto = resample_onto(values, sitk.Transform(), Grid.of(reference), -1000.0)
    array = sitk.GetArrayFromImage(onto)

    assert array.dtype == np.float32
    assert (array[:4] == -1000).all()
    points = [(10, 12, 14), (15, 9, 7)]
    for z, y, x in points:
        x_mm, y_mm, z_mm = (0.05 + 0.1 * i for i in (x, y, z))
        first = np.array(ct.GetOrigin())
        x_mm, y_mm, z_mm = np.array([x_mm, y_mm, z_mm]) - first
        assert array[z, y, x] == pytest.approx(
            100 * np.sin(x_mm) + 10 * y_mm - 50 * z_mm**2, abs=0.2
        )
