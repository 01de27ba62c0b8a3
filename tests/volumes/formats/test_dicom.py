"""DICOM series: geometry from the slices' positions, and refusals."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_series import SPACING_MM, VOXELS, save, slice_of, write_enhanced, write_series
from pydicom.dataset import Dataset

from otosynth.errors import InputError
from otosynth.volumes import slabs
from otosynth.volumes.formats import format_of
from otosynth.volumes.reading import input_files, read_slabs, read_volume

SERIES = "1.2.826.0.1.3680043.2.1125.1"
OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()


def scan(direction: tuple[float, ...] = OBLIQUE) -> sitk.Image:
    voxels = np.random.default_rng(3).integers(-1024, 3000, (8, 6, 7)).astype(np.int16)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.35, 0.4, 0.6))
    image.SetOrigin((-20.5, 33.25, 7.5))
    image.SetDirection(direction)
    return image


def write_slice(image: sitk.Image, z: int, path: Path, **tags: str) -> None:
    """Write slice z of a volume; ``tags`` override ``series`` and ``orientation``."""
    one = image[:, :, z : z + 1]
    direction = one.GetDirection()
    orientation = "\\".join(f"{direction[i]:.10f}" for i in (0, 3, 6, 1, 4, 7))
    position = "\\".join(f"{p:.8f}" for p in one.GetOrigin())
    values = {
        "0008|0060": "CT",
        "0020|000e": tags.get("series", SERIES),
        "0020|0032": position,
        "0020|0037": tags.get("orientation", orientation),
        "0020|0013": str(z + 1),
        "0028|1052": "-1024",
        "0028|1053": "1",
    }
    for tag, value in values.items():
        one.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(one)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A series whose file names are in the opposite order of the slices."""
    image = scan()
    for z in range(image.GetDepth()):
        write_slice(image, z, tmp_path / f"im{image.GetDepth() - z:03}.dcm")
    return tmp_path


def test_series_is_read_in_the_order_of_its_positions(folder):
    image, expected = read_volume(folder), scan()
    assert image.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(expected)
    )
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(image, get)(), getattr(expected, get)(), atol=1e-6)


def test_reversed_slices_keep_every_voxel_in_its_place(tmp_path):
    """A stack whose third axis runs against the normal is turned round, not mirrored."""
    flipped = np.reshape(OBLIQUE, (3, 3)) * (1, 1, -1)
    expected = scan(tuple(flipped.ravel()))
    for z in range(expected.GetDepth()):
        write_slice(expected, z, tmp_path / f"im{z}.dcm")
    image = read_volume(tmp_path)
    assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) == pytest.approx(1)
    for index in ((0, 0, 0), (6, 5, 7), (3, 2, 1)):
        point = expected.TransformIndexToPhysicalPoint(index)
        assert image[image.TransformPhysicalPointToIndex(point)] == expected[index]


def test_input_files_are_the_slices_only(folder):
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (folder / "readme.txt").write_text("series 4")
    assert [path.name for path in input_files(folder)] == [f"im{n:03}.dcm" for n in range(1, 9)]
    assert read_volume(folder).GetSize() == (7, 6, 8)


def test_files_without_ending_are_recognised_by_their_signature(folder):
    for path in folder.iterdir():
        path.rename(path.with_suffix(""))
    assert read_volume(folder).GetSize() == (7, 6, 8)


def test_two_series_are_refused(folder):
    write_slice(scan(), 0, folder / "scout.dcm", series=SERIES + ".7")
    with pytest.raises(InputError, match=r"holds 2 DICOM series .*1125\.1\.7.*one series"):
        read_volume(folder)


def test_missing_slice_is_refused(folder):
    (folder / "im004.dcm").unlink()
    with pytest.raises(InputError, match=r"im005\.dcm and im003\.dcm are 1\.2 mm apart.*1 slice"):
        read_volume(folder)


def test_doubled_slice_is_refused(folder):
    (folder / "copy.dcm").write_bytes((folder / "im004.dcm").read_bytes())
    with pytest.raises(InputError, match=r"im004\.dcm lie at the same position \(slice spacing 0"):
        read_volume(folder)


def test_uneven_slices_are_refused(folder):
    image = scan()
    image.SetOrigin(np.array(image.GetOrigin()) + 0.15 * np.reshape(OBLIQUE, (3, 3))[:, 2])
    write_slice(image, 4, folder / "im004.dcm")
    with pytest.raises(InputError, match=r"0\.75 mm apart and the other slices 0\.6 .*not uniform"):
        read_volume(folder)


def test_tilted_gantry_is_refused(tmp_path):
    image = scan()
    for z in range(image.GetDepth()):
        image.SetOrigin(np.array((0, 0, 0)) + 0.1 * z * np.reshape(OBLIQUE, (3, 3))[:, 1])
        write_slice(image, z, tmp_path / f"im{z}.dcm")
    with pytest.raises(InputError, match=r"shift sideways by 0\.1 mm .*tilted gantry"):
        read_volume(tmp_path)


def test_mixed_orientations_are_refused(folder):
    write_slice(scan(), 4, folder / "im004.dcm", orientation=r"1\0\0\0\0\-1")
    with pytest.raises(InputError, match=r"im004\.dcm and .* have different orientations"):
        read_volume(folder)


def test_slice_of_another_size_is_refused(folder):
    write_slice(scan()[:5], 4, folder / "im004.dcm")
    with pytest.raises(InputError, match="differ in size or pixel spacing"):
        read_volume(folder)


def test_single_slice_is_refused(tmp_path):
    write_slice(scan(), 0, tmp_path / "im0.dcm")
    with pytest.raises(InputError, match="a single DICOM slice"):
        read_volume(tmp_path)


@pytest.mark.parametrize("kept", [100, 400, -20])
def test_truncated_slice_is_refused(folder, kept, capfd):
    path = folder / "im004.dcm"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"im004\.dcm|truncated"):
        read_volume(folder)
    assert capfd.readouterr().err == ""


def test_slice_without_position_is_refused(folder):
    path = folder / "im004.dcm"
    # The tag (0020,0032) is renamed, so that the slice has no position any more.
    path.write_bytes(path.read_bytes().replace(b"\x20\x00\x32\x00", b"\x20\x00\x31\x00"))
    with pytest.raises(InputError, match=r"im004\.dcm: its DICOM tag \(0020,0032\).*3 numbers"):
        read_volume(folder)


def test_an_enhanced_file_is_read_frame_by_frame(tmp_path):
    """Frames in any order, each with its own rescale; the folder or the file may be named."""
    path = write_enhanced(tmp_path / "all.dcm", [3, 1, 0, 2, 7, 6, 5, 4])
    slopes = np.where(np.arange(len(VOXELS)) == 3, 2, 1)[:, None, None]
    for place in (path, tmp_path):
        image = read_volume(place)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS * slopes - 10.0)
        assert image.GetSpacing() == SPACING_MM
        assert image.GetOrigin() == (-20.5, 33.25, 0)


def test_an_enhanced_file_that_describes_other_frames_is_refused(tmp_path):
    path = write_enhanced(tmp_path / "all.dcm", list(range(8)), NumberOfFrames=7)
    with pytest.raises(InputError, match="has 7 frames and describes 8"):
        read_volume(path)


def test_frames_without_a_place_are_refused(tmp_path):
    data = slice_of(0, NumberOfFrames=8, PixelData=VOXELS.tobytes())
    save(data, tmp_path / "all.dcm")
    with pytest.raises(InputError, match=r"all\.dcm: holds several frames .* says of none where"):
        read_volume(tmp_path)


def test_a_multi_frame_file_of_itk_is_read(tmp_path):
    expected = sitk.Cast(scan((1, 0, 0, 0, 1, 0, 0, 0, 1)), sitk.sitkUInt8)
    sitk.WriteImage(expected, tmp_path / "all.dcm")
    image = read_volume(tmp_path)
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(expected)
    )
    assert image.GetSpacing() == pytest.approx(expected.GetSpacing())


@pytest.mark.parametrize(("stored", "value"), [(-2000, -5024.0), (63536, -5024.0), (None, None)])
def test_padding_is_the_declared_value_as_read(tmp_path, stored, value):
    """Some writers give a negative value without its sign."""

    def edit(data: Dataset, z: int) -> None:
        if stored is not None:
            kind = "US" if stored > 0 else "SS"
            data.add_new("PixelPaddingValue", kind, stored)

    write_series(tmp_path, edit=edit, RescaleSlope=2, RescaleIntercept=-1024)
    declared = () if value is None else ((value, value),)
    assert format_of(tmp_path).padding(tmp_path) == declared


def test_padding_of_a_range_follows_the_slope_of_each_slice(tmp_path):
    def edit(data: Dataset, z: int) -> None:
        data.add_new("PixelPaddingValue", "SS", -2000)
        data.add_new("PixelPaddingRangeLimit", "SS", -1990)
        data.RescaleSlope, data.RescaleIntercept = -1 if z == 3 else 1, 10

    write_series(tmp_path, edit=edit)
    assert format_of(tmp_path).padding(tmp_path) == ((-1990.0, -1980.0), (2000.0, 2010.0))


def test_padding_of_frames_follows_their_slopes(tmp_path):
    path = tmp_path / "all.dcm"
    write_enhanced(path, [2, 3, 4])
    data = pydicom.dcmread(path)
    data.add_new("PixelPaddingValue", "SS", -2000)
    data.save_as(path)
    assert format_of(path).padding(path) == ((-2010.0, -2010.0), (-4010.0, -4010.0))


def test_a_single_slice_s_file_is_refused(tmp_path):
    write_series(tmp_path)
    with pytest.raises(InputError, match="a single DICOM slice"):
        read_volume(tmp_path / "0.dcm")


def test_slabs_are_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(slabs, "SLAB_VOXELS", 3 * VOXELS[0].size)
    write_series(tmp_path)
    _, parts = read_slabs(tmp_path)
    parts = list(parts)
    assert [len(part) for part in parts] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate(parts), VOXELS)
