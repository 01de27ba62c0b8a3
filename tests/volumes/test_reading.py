"""Every format is read back exactly, and what is no usable scan is refused."""

import gzip
import json
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.reading import input_files, read_volume

SPACING_MM = (0.31, 0.29, 0.47)
ORIGIN_MM = (-12.5, 30.25, 7.125)


@pytest.fixture
def volume() -> sitk.Image:
    """Small integer-valued volume with odd size, spacing and an oblique orientation."""
    voxels = np.random.default_rng(1).integers(-1000, 2000, (5, 6, 7)).astype(np.float32)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(SPACING_MM)
    image.SetOrigin(ORIGIN_MM)
    oblique = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5)
    image.SetDirection(oblique.GetMatrix())
    return image


def assert_same(read: sitk.Image, written: sitk.Image, tolerance: float = 1e-12) -> None:
    assert read.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(read), sitk.GetArrayViewFromImage(written)
    )
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(read, get)(), getattr(written, get)(), atol=tolerance)


def replace_in(path: Path, pattern: bytes, by: bytes) -> Path:
    content, count = re.subn(pattern, by, path.read_bytes(), count=1)
    assert count == 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "compressed"),
    [("v.nrrd", True), ("v.nrrd", False), ("v.nhdr", False), ("v.mha", True), ("v.mhd", False)],
)
def test_nrrd_and_metaimage_are_read_exactly(volume, tmp_path, name, compressed):
    sitk.WriteImage(volume, tmp_path / name, compressed)
    assert_same(read_volume(tmp_path / name), volume)


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_nifti_is_read_in_its_single_precision_geometry(volume, tmp_path, name):
    sitk.WriteImage(volume, tmp_path / name)
    assert_same(read_volume(tmp_path / name), volume, tolerance=1e-5)


def test_nifti_in_micrometres_is_read_in_millimetres(tmp_path):
    nifti = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), np.diag([30.0, 40, 50, 1]))
    nifti.header.set_xyzt_units("micron")
    nifti.to_filename(tmp_path / "v.nii")
    assert read_volume(tmp_path / "v.nii").GetSpacing() == pytest.approx((0.03, 0.04, 0.05))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64])
def test_every_voxel_type_becomes_float32(tmp_path, kind):
    voxels = np.arange(60).reshape(3, 4, 5).astype(kind)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), tmp_path / "v.mha")
    read = sitk.GetArrayFromImage(read_volume(tmp_path / "v.mha"))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, voxels)


def test_input_files_are_the_header_and_its_voxels(volume, tmp_path):
    for name in ("v.mhd", "w.nhdr", "x.mha"):
        sitk.WriteImage(volume, tmp_path / name)
    names = {name: [p.name for p in input_files(tmp_path / name)] for name in ("v.mhd", "x.mha")}
    assert names == {"v.mhd": ["v.mhd", "v.raw"], "x.mha": ["x.mha"]}
    assert [p.name for p in input_files(tmp_path / "w.nhdr")] == ["w.nhdr", "w.raw"]
    assert input_files(tmp_path / "absent.nii") == [tmp_path / "absent.nii"]


def test_missing_and_unknown_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"absent\.nii: no such file or folder"):
        read_volume(tmp_path / "absent.nii")
    (tmp_path / "scan.vol").write_bytes(b"?")
    with pytest.raises(InputError, match=r"scan\.vol: unknown format.*MetaImage.*NIfTI.*DICOM"):
        read_volume(tmp_path / "scan.vol")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither TIFF slices nor DICOM"):
        read_volume(tmp_path / "empty")


@pytest.mark.parametrize("kept", [0.02, 0.6, 0.999])
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "v.nrrd", "v.mha"])
def test_truncated_files_are_refused(volume, tmp_path, name, kept, capfd):
    path = tmp_path / name
    sitk.WriteImage(volume, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError, match=rf"{name}: .*"):
        read_volume(path)
    assert capfd.readouterr().err == ""


def test_truncation_is_told_in_bytes(volume, tmp_path):
    sitk.WriteImage(volume, tmp_path / "v.nii")
    short = (tmp_path / "v.nii").read_bytes()[:-1]
    (tmp_path / "v.nii").write_bytes(short)
    with pytest.raises(InputError, match=r"truncated: 1191 bytes where its header announces 1192"):
        read_volume(tmp_path / "v.nii")
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(short))
    with pytest.raises(InputError, match="truncated: 1191 bytes"):
        read_volume(tmp_path / "v.nii.gz")


@pytest.mark.parametrize(("header", "raw"), [("v.mhd", "v.raw"), ("v.nhdr", "v.raw")])
def test_detached_voxels_missing_or_short_are_refused(volume, tmp_path, header, raw):
    sitk.WriteImage(volume, tmp_path / header)
    (tmp_path / raw).write_bytes((tmp_path / raw).read_bytes()[:-8])
    with pytest.raises(InputError, match="is truncated: 832 bytes where its header announces 840"):
        read_volume(tmp_path / header)
    (tmp_path / raw).unlink()
    with pytest.raises(InputError, match=rf"voxels are in .*{raw}, which is missing"):
        read_volume(tmp_path / header)


def test_voxels_in_several_files_are_refused(volume, tmp_path):
    sitk.WriteImage(volume, tmp_path / "v.mhd")
    replace_in(tmp_path / "v.mhd", b"ElementDataFile = .*", b"ElementDataFile = LIST")
    with pytest.raises(InputError, match="in several files"):
        read_volume(tmp_path / "v.mhd")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "v.nrrd", "v.mha", "v.mhd", "v.tif"])
def test_files_that_are_something_else_are_refused(tmp_path, name, capfd):
    (tmp_path / "spacing.json").write_text('{"spacing_mm": [1, 1, 1]}')
    (tmp_path / name).write_bytes(b"<html>404 not found</html>\n" * 40)
    with pytest.raises(InputError, match=name):
        read_volume(tmp_path / name)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size", ["0", "-0.3", "nan"])
def test_impossible_voxel_sizes_are_refused(volume, tmp_path, size):
    sitk.WriteImage(volume, tmp_path / "v.mha")
    replace_in(tmp_path / "v.mha", rb"ElementSpacing = \S+", f"ElementSpacing = {size}".encode())
    volume.SetDirection(np.eye(3).ravel().tolist())
    sitk.WriteImage(volume, tmp_path / "v.nrrd")
    spacings = f"\nspacings: {size} 0.3 0.3\n".encode()
    replace_in(tmp_path / "v.nrrd", rb"\nspace directions:.*\n", spacings)
    replace_in(tmp_path / "v.nrrd", rb"\nspace:.*\n", b"\n")
    replace_in(tmp_path / "v.nrrd", rb"\nspace origin:.*\n", b"\n")
    sitk.WriteImage(volume, tmp_path / "v.nii")
    content = bytearray((tmp_path / "v.nii").read_bytes())
    content[80:84] = np.float32(size).tobytes()
    (tmp_path / "v.nii").write_bytes(content)
    for name in ("v.mha", "v.nrrd", "v.nii"):
        with pytest.raises(InputError, match=rf"{name}: states a voxel size of {size} x"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize(
    ("directions", "message"),
    [
        (b"(0,0,0) (0,1,0) (0,0,1)", "voxel size of 0 x 1 x 1"),
        (b"none (0,1,0) (0,0,1)", "voxel size of nan"),
        (b"(1,0,0) (0.5,1,0) (0,0,1)", "not at right angles"),
    ],
)
def test_impossible_nrrd_axes_are_refused(volume, tmp_path, directions, message):
    sitk.WriteImage(volume, tmp_path / "v.nrrd")
    replace_in(tmp_path / "v.nrrd", rb"space directions:.*", b"space directions: " + directions)
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path / "v.nrrd")


def test_files_without_voxel_size_are_refused(volume, tmp_path):
    sitk.WriteImage(volume, tmp_path / "v.mha")
    replace_in(tmp_path / "v.mha", rb"ElementSpacing = .*\n", b"")
    with pytest.raises(InputError, match="states no voxel size"):
        read_volume(tmp_path / "v.mha")


def test_nifti_without_orientation_is_refused(tmp_path):
    nifti = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), None)
    nifti.to_filename(tmp_path / "v.nii")
    with pytest.raises(InputError, match="states no orientation"):
        read_volume(tmp_path / "v.nii")


def test_sheared_nifti_is_refused(tmp_path):
    affine = np.eye(4)
    affine[0, 1] = 0.3
    nifti = nibabel.Nifti1Image(np.ones((4, 5, 6), np.float32), affine)
    nifti.set_qform(None, code=0)
    nifti.to_filename(tmp_path / "v.nii")
    with pytest.raises(InputError, match="not at right angles"):
        read_volume(tmp_path / "v.nii")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((4, 5), "4 x 5"), ((4, 5, 6, 3), "4 x 5 x 6 x 3 voxels"), ((4, 5, 1), "no 3D volume")],
)
def test_other_than_3d_is_refused(tmp_path, shape, message):
    nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)).to_filename(tmp_path / "v.nii")
    with pytest.raises(InputError, match=message):
        read_volume(tmp_path / "v.nii")


def test_vector_volume_is_refused(volume, tmp_path):
    sitk.WriteImage(sitk.Compose([volume, volume]), tmp_path / "v.nrrd")
    with pytest.raises(InputError, match="2 values per voxel"):
        read_volume(tmp_path / "v.nrrd")


def test_multipage_tiff_keeps_the_geometry_of_its_sidecar(volume, tmp_path):
    """Its own sidecar goes before the folder's."""
    sitk.WriteImage(sitk.Cast(volume, sitk.sitkInt16), tmp_path / "v.tif")
    geometry = {
        "spacing_mm": volume.GetSpacing(),
        "origin_mm": volume.GetOrigin(),
        "direction": volume.GetDirection(),
    }
    (tmp_path / "v.spacing.json").write_text(json.dumps(geometry))
    (tmp_path / "spacing.json").write_text('{"spacing_mm": [9, 9, 9]}')
    assert_same(read_volume(tmp_path / "v.tif"), volume)
    assert [p.name for p in input_files(tmp_path / "v.tif")] == ["v.spacing.json", "v.tif"]
