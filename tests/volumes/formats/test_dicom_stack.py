"""The grid of a DICOM series: rounded positions, gaps, doubles, and two statements of a length."""

import re
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import SERIES, VOXELS, save, slice_of, write_series

from otosynth.errors import InputError
from otosynth.volumes.reading import read_scan_header, read_volume
from otosynth.volumes.stated import Stated


def write_positions(folder, positions, **tags):
    """Write a slice at each position."""
    for number, position in enumerate(positions):
        tags |= {"SOPInstanceUID": f"{SERIES}.{number}", "ImagePositionPatient": position}
        save(slice_of(number, **tags), folder / f"{number:03}.dcm")
    return folder


def rounded(count: int, decimals: int = 2) -> list[list[str]]:
    """Return positions of slices of 0.125 mm, as some scanners round them."""
    return [["0", "0", f"{0.125 * z + 1e-9:.{decimals}f}"] for z in range(count)]


def test_rounded_positions_are_fitted_by_an_even_grid(tmp_path):
    image = read_volume(write_positions(tmp_path, rounded(64)))
    assert image.GetSpacing()[2] == pytest.approx(0.125, rel=1e-3)
    last = image.TransformIndexToPhysicalPoint((0, 0, 63))
    np.testing.assert_allclose(last, (0, 0, 63 * 0.125), atol=0.005)


def test_a_gap_among_rounded_positions_is_named_by_its_place(tmp_path):
    positions = rounded(64)
    del positions[30]
    with pytest.raises(InputError, match=r"029\.dcm and 030\.dcm .*1 slice.*position 0\\0\\3\.7"):
        read_volume(write_positions(tmp_path, positions))


def test_too_coarse_positions_are_refused_and_their_rounding_is_said(tmp_path):
    with pytest.raises(InputError, match=r"positions are given to 0\.1 mm"):
        read_volume(write_positions(tmp_path, rounded(64, decimals=1)))


def test_a_spacing_that_drifts_is_refused(tmp_path):
    positions = [[0, 0, round(0.5 * z + 0.002 * z * z, 4)] for z in range(40)]
    with pytest.raises(InputError, match="spacing is not uniform"):
        read_volume(write_positions(tmp_path, positions))


def test_a_stack_that_leans_a_little_at_each_slice_is_refused(tmp_path):
    positions = [[0, round(0.005 * z, 4), 0.5 * z] for z in range(40)]
    with pytest.raises(InputError, match=r"shift sideways by 0\.005 mm"):
        read_volume(write_positions(tmp_path, positions))


def test_every_position_twice_is_refused_with_what_parts_them(tmp_path):
    write_series(tmp_path, ConvolutionKernel="B30")
    for z in range(len(VOXELS)):
        copy = slice_of(z, ConvolutionKernel="B70", SOPInstanceUID=f"{SERIES}.2.{z}")
        save(copy, tmp_path / f"sharp{z}.dcm")
    message = r"0\.dcm and sharp0\.dcm lie at the same .*7 more.*ConvolutionKernel B30 and B70"
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path)


def test_slices_all_at_one_position_are_refused(tmp_path):
    with pytest.raises(InputError, match="lie at the same position"):
        read_volume(write_series(tmp_path, ImagePositionPatient=[0, 0, 0]))


def test_two_statements_of_the_distance_that_agree_are_no_matter(tmp_path):
    image = read_volume(write_series(tmp_path, SpacingBetweenSlices=0.5))
    assert image.GetSpacing()[2] == 0.5


def test_two_distances_are_refused_unless_the_lab_says_which(tmp_path):
    write_series(tmp_path, SpacingBetweenSlices=0.3)
    message = r"positions says 0\.5 mm; spacing-between-slices says 0\.3 mm"
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path)
    for believed, spacing_mm in (("positions", 0.5), ("spacing-between-slices", 0.3)):
        header = read_scan_header(tmp_path, Stated(believe=believed))
        assert header.grid.spacing_mm[2] == pytest.approx(spacing_mm)
        assert any(believed in remark for remark in header.remarks)


def test_two_pixel_sizes_are_refused_unless_the_lab_says_which(tmp_path):
    write_series(tmp_path, ImagerPixelSpacing=[0.8, 0.6])
    message = r"pixel-spacing says 0\.4 x 0\.3 mm; imager-pixel-spacing says 0\.8 x 0\.6 mm"
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path)
    image = read_volume(tmp_path, Stated(believe="imager-pixel-spacing"))
    assert image.GetSpacing() == pytest.approx((0.6, 0.8, 0.5))


def test_a_pixel_size_at_the_detector_alone_is_refused_unless_the_lab_says_so(tmp_path):
    write_series(tmp_path, PixelSpacing=None, ImagerPixelSpacing=[0.8, 0.6])
    with pytest.raises(InputError, match="at the detector alone"):
        read_volume(tmp_path)
    image = read_volume(tmp_path, Stated(believe="imager-pixel-spacing"))
    assert image.GetSpacing() == pytest.approx((0.6, 0.8, 0.5))


def test_a_thickness_other_than_the_distance_is_said(tmp_path):
    header = read_scan_header(write_series(tmp_path, SliceThickness=1))
    assert header.grid.spacing_mm[2] == 0.5
    assert header.remarks == ("Its slices are 1 mm thick and 0.5 mm apart.",)


@pytest.mark.parametrize("directions", [[1, 0, 0, 0.5, 1, 0], [0, 0, 0, 0, 0, 0]])
def test_directions_that_are_not_at_right_angles_are_refused(tmp_path, directions):
    with pytest.raises(InputError, match="not at right angles"):
        read_volume(write_series(tmp_path, ImageOrientationPatient=directions))


def test_directions_of_four_decimals_are_set_at_right_angles(tmp_path):
    turned = [0.9553, 0.2955, 0, -0.2955, 0.9554, 0]
    image = read_volume(write_series(tmp_path, ImageOrientationPatient=turned))
    axes = np.reshape(image.GetDirection(), (3, 3))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes[:, 0], turned[:3], atol=1e-4)


def test_a_part_of_a_series_is_refused_with_the_folder_of_the_rest(tmp_path):
    write_series(tmp_path / "a", slices=range(4))
    write_series(tmp_path / "b", slices=range(4, 8))
    message = rf"at 0 to 1\.5 mm.* 4 more slices, at 2 to 3\.5 mm.*{re.escape(str(tmp_path))}/b"
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path / "a")
    with pytest.raises(InputError, match=r"holds no slices itself, and its folders a, b do"):
        read_volume(tmp_path)


def test_missing_slices_are_found_in_a_folder_near_by(tmp_path):
    write_series(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for z in (3, 4):
        (tmp_path / f"a/{z}.dcm").rename(tmp_path / f"b/{z}.dcm")
    with pytest.raises(
        InputError, match=r"2 slice.*0?33\.25\\1\.5; put them back from .*/b, which"
    ):
        read_volume(tmp_path / "a")


def test_a_copy_of_a_series_and_a_part_of_the_copy_are_read(tmp_path):
    write_series(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/0.dcm").unlink()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(tmp_path / "a")), VOXELS)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(tmp_path / "b")), VOXELS[1:])
