"""What is gone through slab by slab is the same as what is held as a whole."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.errors import InputError
from otosynth.registration import field_of_view_mask, resample_onto
from otosynth.registration.preparation import shrink_towards, shrink_volume
from otosynth.volumes import mapping, slabs
from otosynth.volumes.checks import checked_intensities
from otosynth.volumes.grids import Grid
from otosynth.volumes.mapping import let_go, new_volume
from otosynth.volumes.reading import read_slabs, read_volume
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs, write_volume


@pytest.fixture
def thin_slabs(monkeypatch):
    """Slabs of three rows of the volumes below."""
    monkeypatch.setattr(slabs, "SLAB_VOXELS", 3 * 17 * 19)


@pytest.fixture(scope="module")
def image():
    voxels = np.random.default_rng(0).normal(100, 30, (23, 17, 19)).astype(np.float32)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.1, 0.12, 0.11))
    image.SetOrigin((3.5, -20.25, 7.0))
    turn = sitk.VersorTransform((0.3, -0.5, 0.8), 0.7)
    image.SetDirection(turn.GetMatrix())
    return image


def whole(parts):
    return np.concatenate(list(parts))


def test_slabs_follow_one_another_and_leave_only_what_fills_no_multiple():
    assert list(slabs_of((10, 4, 5), 60)) == [slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 10)]
    assert list(slabs_of((10, 4, 5), 60, multiple=4)) == [slice(0, 4), slice(4, 8)]
    assert list(slabs_of((2, 4, 5), 60, multiple=4)) == []


@pytest.mark.parametrize("name", ["ear.nii", "ear.nii.gz"])
def test_a_file_has_the_same_bytes_however_the_volume_is_parted(image, tmp_path, name):
    volume = Volume.of(image)
    write_volume(image, tmp_path / "whole" / name)
    parts = [volume.voxels[:1], volume.voxels[1:20], volume.voxels[20:]]
    write_slabs(parts, volume.grid, np.float32, tmp_path / "parts" / name)
    assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


@pytest.mark.parametrize("wrong", ["rows missing", "another type", "another width"])
def test_slabs_that_do_not_fill_the_grid_leave_no_file(image, tmp_path, wrong):
    voxels = Volume.of(image).voxels
    slab = {"rows missing": voxels[:-1], "another type": voxels.astype(np.float64),
            "another width": voxels[:, :, 1:]}[wrong]  # fmt: skip
    with pytest.raises(ValueError, match=r"on a grid|slab"):
        write_slabs([slab], Grid.of(image), np.float32, tmp_path / "ear.nii")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("thin_slabs")
@pytest.mark.parametrize("kind", ["nii", "nii of 16 bits", "nii.gz", "nrrd", "tiff folder"])
def test_a_scan_read_by_slabs_is_the_scan(image, tmp_path, kind):
    path = tmp_path / f"ear.{kind.split()[0]}"
    if kind == "tiff folder":
        path = tmp_path / "slices"
        path.mkdir()
        for number in range(image.GetSize()[2]):
            sitk.WriteImage(image[:, :, number], str(path / f"{number:03}.tif"))
        geometry = {"spacing_mm": image.GetSpacing(), "origin_mm": image.GetOrigin(),
                    "direction": image.GetDirection()}  # fmt: skip
        (path / "spacing.json").write_text(json.dumps(geometry))
    elif kind == "nii of 16 bits":
        write_volume(sitk.Cast(image, sitk.sitkInt16), path)
    else:
        sitk.WriteImage(image, str(path))
    read = read_volume(path)
    grid, parts = read_slabs(path)
    parts = list(parts)
    assert len(parts) == 8
    assert all(part.dtype == np.float32 for part in parts)
    assert grid == Grid.of(read)
    assert np.array_equal(whole(parts), sitk.GetArrayFromImage(read))


def test_unusable_voxels_are_found_in_whatever_slab_they_are(image, tmp_path):
    parts = [part.copy() for part in np.array_split(Volume.of(image).voxels, 4)]
    parts[2][0, 0, :3] = np.nan
    checked = checked_intensities(parts, tmp_path / "ear.nrrd")
    with pytest.raises(InputError, match=r"ear\.nrrd: 3 of 7429 voxels are NaN"):
        write_slabs(checked, Grid.of(image), np.float32, tmp_path / "ear.nii")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("thin_slabs")
def test_averages_and_resampled_slabs_are_those_of_the_whole(image):
    volume = Volume.of(image)
    [shrunk] = shrink_volume(volume, 0.25)
    expected = shrink_towards(image, 0.25)
    assert np.array_equal(sitk.GetArrayFromImage(shrunk), sitk.GetArrayFromImage(expected))
    assert np.allclose(shrunk.GetOrigin(), expected.GetOrigin(), atol=1e-12)
    assert shrunk.GetSpacing() == expected.GetSpacing()

    pose = sitk.Euler3DTransform(volume.grid.centre_mm.tolist(), 0.1, -0.2, 0.3, (0.2, 0.1, -0.3))
    for bring in (lambda grid: resample_onto(image, pose, grid, -1000.0),
                  lambda grid: field_of_view_mask(image, pose, grid)):  # fmt: skip
        parts = [bring(volume.grid.slab(rows)) for rows in slabs_of(volume.grid.shape)]
        at_once = sitk.GetArrayFromImage(bring(volume.grid))
        assert 0 < np.count_nonzero(at_once == at_once.flat[0]) < at_once.size
        assert np.array_equal(whole(map(sitk.GetArrayFromImage, parts)), at_once)


def test_a_class_map_of_a_mapped_file_is_that_of_the_array(image, tmp_path, monkeypatch):
    monkeypatch.setattr("otosynth.classmap.SLAB_VOXELS", 3 * 17 * 19)
    write_volume(image, tmp_path / "microct.nii")
    mapped, held = Volume.mapped(tmp_path / "microct.nii"), Volume.of(image)
    inside = np.ones(held.grid.shape, np.uint8)
    one, other = (
        class_map_from_microct(
            volume.voxels, inside, volume.grid.spacing_zyx, ClassMapSettings(closing_radius_um=240)
        )
        for volume in (mapped, held)
    )
    assert one.thresholds == other.thresholds
    assert np.array_equal(one.labels, other.labels)


def test_a_large_new_volume_keeps_what_was_written_when_it_is_let_go(tmp_path, monkeypatch):
    assert not isinstance(new_volume((3, 4, 5), tmp_path), np.memmap)
    monkeypatch.setattr(mapping, "LARGE_BYTES", 100)
    volume = new_volume((3, 40, 50), tmp_path / "made")
    assert isinstance(volume, np.memmap)
    written = np.random.default_rng(1).normal(size=volume.shape).astype(np.float32)
    for plane, values in zip(volume, written, strict=True):
        plane[:] = values
        let_go(plane)
    let_go(volume)
    assert np.array_equal(volume, written)
    assert list((tmp_path / "made").iterdir()) == []
