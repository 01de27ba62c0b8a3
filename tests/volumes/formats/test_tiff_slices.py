"""TIFF stacks: order, geometry and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from otosynth.errors import InputError
from otosynth.volumes.reading import input_files, read_volume

GEOMETRY = {"spacing_mm": [0.14, 0.15, 0.17], "origin_mm": [2.5, -4.0, 0.05]}


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 255, (12, 6, 7)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, voxels: np.ndarray) -> Path:
    """A stack whose names sort wrongly as text: slice-1, slice-10, slice-11, slice-2."""
    for number, one in enumerate(voxels):
        sitk.WriteImage(sitk.GetImageFromArray(one), tmp_path / f"slice-{number}.tif")
    write_geometry(tmp_path, GEOMETRY)
    return tmp_path


def write_geometry(folder: Path, geometry: object) -> None:
    (folder / "spacing.json").write_text(json.dumps(geometry))


def test_slices_are_read_in_the_order_of_their_numbers(folder, voxels):
    image = read_volume(folder)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels)
    assert image.GetPixelID() == sitk.sitkFloat32
    assert image.GetSpacing() == tuple(GEOMETRY["spacing_mm"])
    assert image.GetOrigin() == tuple(GEOMETRY["origin_mm"])
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_input_files_are_the_slices_and_the_sidecar(folder):
    names = [path.name for path in input_files(folder)]
    assert len(names) == 13
    assert "spacing.json" in names
    assert names == sorted(names)


def test_files_of_the_desktop_are_passed_over(folder, voxels):
    (folder / "._slice-1.tif").write_bytes(b"finder")
    (folder / "notes.txt").write_text("scanned on a Monday")
    assert read_volume(folder).GetSize() == voxels.shape[::-1]


def test_missing_slice_is_named(folder):
    (folder / "slice-7.tif").unlink()
    with pytest.raises(InputError, match=r"missing between slice-6\.tif and slice-8\.tif"):
        read_volume(folder)


def test_two_stacks_in_one_folder_are_refused(folder):
    (folder / "other-3.tif").write_bytes((folder / "slice-3.tif").read_bytes())
    with pytest.raises(InputError, match=r"other-3\.tif and slice-3\.tif have the same"):
        read_volume(folder)


def test_slice_of_another_size_is_named(folder):
    sitk.WriteImage(sitk.Image(5, 5, sitk.sitkUInt8), folder / "slice-4.tif")
    with pytest.raises(InputError, match=r"slice-4\.tif has 5 x 5 pixels .* slice-0\.tif 7 x 6 "):
        read_volume(folder)


def test_colour_slices_are_refused(tmp_path):
    colour = sitk.GetImageFromArray(np.zeros((4, 5, 3), np.uint8), isVector=True)
    for number in range(3):
        sitk.WriteImage(colour, tmp_path / f"{number}.tif")
    write_geometry(tmp_path, GEOMETRY)
    with pytest.raises(InputError, match="3 values per voxel"):
        read_volume(tmp_path)


def test_single_slice_is_refused(folder):
    for number in range(1, 12):
        (folder / f"slice-{number}.tif").unlink()
    with pytest.raises(InputError, match="a single TIFF slice"):
        read_volume(folder)


def test_truncated_slice_is_refused(folder, capfd):
    path = folder / "slice-5.tif"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"slice-5\.tif|truncated"):
        read_volume(folder)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"origin_mm": [0, 0, 0]}, "spacing_mm is missing; it should be 3 numbers above 0"),
        ({"spacing_mm": [0.1, 0.1]}, "spacing_mm should be 3 numbers"),
        ({"spacing_mm": [0.1, 0.1, 0]}, "spacing_mm should be 3 numbers above 0"),
        ({"spacing_mm": [0.1, -0.1, 0.1]}, "spacing_mm should be 3 numbers above 0"),
        ({"spacing_mm": [1, 1, 1], "spaceing": 2}, "'spaceing' is no key of it"),
        ({"spacing_mm": [1, 1, 1], "direction": [1, 0, 0, 1, 1, 0, 0, 0, 1]}, "rotation matrix"),
        ([1, 1, 1], "holds the keys spacing_mm, origin_mm, direction, in braces"),
    ],
)
def test_wrong_geometry_is_refused(folder, geometry, message):
    write_geometry(folder, geometry)
    with pytest.raises(InputError, match=rf"spacing\.json: .*{message}"):
        read_volume(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"spacing_mm": [1, 1, 1], "spacing_mm": [2, 2, 2]}', "the key 'spacing_mm' twice"),
        ('{"spacing_mm": [1, 1,', "is no JSON from line 1, column"),
    ],
)
def test_a_geometry_of_two_meanings_or_of_none_is_refused(folder, text, message):
    (folder / "spacing.json").write_text(text)
    with pytest.raises(InputError, match=rf"spacing\.json: .*{message}"):
        read_volume(folder)


def test_absent_geometry_is_refused(folder):
    (folder / "spacing.json").unlink()
    with pytest.raises(InputError, match=r"spacing\.json: missing.*spacing_mm"):
        read_volume(folder)


@pytest.mark.parametrize("name", ["MAX_ear.tif", "overview.tif", "Vorschau_ü.tif"])
def test_a_stray_image_among_numbered_slices_is_named(folder, name):
    (folder / name).write_bytes((folder / "slice-3.tif").read_bytes())
    with pytest.raises(InputError, match=rf"{name} has no slice number and the others have"):
        read_volume(folder)


def test_a_stray_image_that_is_numbered_as_the_next_slice_is_named(folder):
    (folder / "overview-12.tif").write_bytes((folder / "slice-3.tif").read_bytes())
    with pytest.raises(InputError, match=r"overview-12\.tif is named otherwise than the 12 slices"):
        read_volume(folder)


def test_a_slice_of_other_numbers_is_named(folder, voxels):
    sitk.WriteImage(sitk.GetImageFromArray(voxels[4].astype(np.uint16)), folder / "slice-4.tif")
    with pytest.raises(InputError, match=r"slice-4\.tif has 7 x 6 pixels \(16 bits\) and .*8 bits"):
        read_volume(folder)


def test_a_slice_of_several_pages_is_refused(folder, voxels):
    tifffile.imwrite(folder / "slice-4.tif", voxels[4:6], photometric="minisblack")
    with pytest.raises(InputError, match=r"slice-4\.tif: holds 2 pages; in a folder"):
        read_volume(folder)


def test_half_floats_are_read(tmp_path):
    voxels = np.random.default_rng(1).uniform(0, 1, (4, 6, 7)).astype(np.float16)
    for number, one in enumerate(voxels):
        tifffile.imwrite(tmp_path / f"{number}.tif", one)
    write_geometry(tmp_path, GEOMETRY)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_volume(tmp_path)), voxels)
