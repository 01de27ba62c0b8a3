"""What is asked of every format: places, handedness, voxel size, and the same by slabs."""

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats import FORMATS, Source, source_of, write_as
from otosynth.volumes.formats.rules import is_left_handed, right_handed
from otosynth.volumes.grids import Grid
from otosynth.volumes.reading import read_scan_header, read_slabs, read_volume

NAMES = sorted(each.name for each in FORMATS)
# Of every order and direction of the three axes.
ORDERS = [
    np.eye(3)[list(order)] * signs
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
SPACING_MM = (0.12, 0.13, 0.25)
ORIGIN_MM = (-20.5, 33.25, 7.5)


def object_on(axes: np.ndarray, size=(7, 6, 5)) -> sitk.Image:
    """Return voxels that all differ, on a grid with these axes; as integers, which all keep."""
    values = np.random.default_rng(3).permutation(np.prod(size)).reshape(size[::-1])
    image = sitk.GetImageFromArray(values.astype(np.int16))
    image.SetSpacing(SPACING_MM)
    image.SetOrigin(ORIGIN_MM)
    image.SetDirection(axes.ravel().tolist())
    return image


def places(image: sitk.Image) -> np.ndarray:
    """Return where every value lies (x, y, z in mm), in the order of the values."""
    values = sitk.GetArrayFromImage(image).ravel()
    grid = Grid.of(image)
    points = [grid.point_mm(index[::-1]) for index in np.ndindex(*grid.shape)]
    return np.array(points)[np.argsort(values, kind="stable")]


@pytest.mark.parametrize("name", NAMES)
def test_every_order_of_axes_keeps_every_voxel_at_its_place(tmp_path, name):
    for number, axes in enumerate(ORDERS):
        image = object_on(axes)
        path = write_as(image, tmp_path / f"{number}", Source(name, {}), "")
        read = read_volume(path)
        np.testing.assert_allclose(places(read), places(image), atol=1e-4)
        assert not is_left_handed(Grid.of(read))
        # And written back, no voxel moves, and the axes are the file's.
        again = write_as(read, tmp_path / f"{number}-again", source_of(path), "")
        np.testing.assert_allclose(places(read_volume(again)), places(image), atol=1e-4)
        before, after = read_scan_header(path).grid, read_scan_header(again).grid
        assert before.size == after.size
        np.testing.assert_allclose(after.direction, before.direction, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_slabs_are_the_whole_on_left_handed_axes_too(tmp_path, name, monkeypatch):
    monkeypatch.setattr("otosynth.volumes.slabs.SLAB_VOXELS", 2 * 7 * 6)
    for number, axes in enumerate((np.eye(3), np.diag([1, -1, 1]), np.diag([1, 1, -1]))):
        path = write_as(object_on(axes), tmp_path / f"{number}", Source(name, {}), "")
        whole = read_volume(path)
        grid, slabs = read_slabs(path)
        assert grid == Grid.of(whole)
        np.testing.assert_array_equal(np.concatenate(list(slabs)), sitk.GetArrayFromImage(whole))


def test_right_handed_axes_stay_as_they_are():
    image = object_on(np.eye(3))
    assert right_handed(image) is image


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size_mm", [0.004, 6.0])
def test_a_voxel_size_of_no_scanner_is_refused(tmp_path, name, size_mm):
    image = object_on(np.eye(3))
    image.SetSpacing((0.3, size_mm, 0.3))
    path = write_as(image, tmp_path / "v", Source(name, {}), "")
    for read in (read_volume, read_slabs, read_scan_header):
        with pytest.raises(InputError, match=r"outside 0.005 to 5 mm"):
            read(path)


@pytest.mark.parametrize("name", NAMES)
def test_what_may_not_be_read_is_called_so(tmp_path, name, monkeypatch):
    path = write_as(object_on(np.eye(3)), tmp_path / "v", Source(name, {}), "")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(InputError, match=r"may not be read .permission denied"):
        read_volume(path)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_a_scan_that_another_program_converted_keeps_foreign_keys_and_is_read(tmp_path, ending):
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetSpacing((0.3, 0.4, 0.5))
    sitk.WriteImage(image, str(tmp_path / "scan.nii"))
    # Such keys as dim[0] and pixdim[1] come with it.
    converted = sitk.ReadImage(str(tmp_path / "scan.nii"))
    assert "dim[0]" in converted.GetMetaDataKeys()
    path = tmp_path / f"scan.{ending}"
    sitk.WriteImage(converted, str(path))
    assert b"dim[0]" in path.read_bytes()

    read = read_volume(path)

    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), sitk.GetArrayFromImage(image))
    assert read.GetSpacing() == pytest.approx((0.3, 0.4, 0.5))
