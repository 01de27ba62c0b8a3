"""Writing and memory mapping: true geometry, same bytes, whole or not at all."""

import gzip
import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.grids import same_grid
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume


@pytest.fixture
def image() -> sitk.Image:
    voxels = np.random.default_rng(5).normal(size=(5, 6, 7)).astype(np.float32)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.12, 0.13, 0.17))
    image.SetOrigin((-30.5, 22.25, 81.9))
    image.SetDirection(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix())
    return image


# No file of this process may grow beyond 500 bytes: a write fails half-way, as on a full disk.
# It is a process of its own, or the limit would also stop the tests' own output.
WRITE_ON_A_SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from otosynth.errors import InputError
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume
image = read_volume(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    write_volume(image, Path(sys.argv[2]))
except InputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_voxels_and_geometry_come_back(image, tmp_path, name):
    path = tmp_path / "new" / "folder" / name
    write_volume(image, path)
    read = read_volume(path)
    assert same_grid(read, image)
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(read), sitk.GetArrayViewFromImage(image)
    )
    assert [p.name for p in path.parent.iterdir()] == [name]
    np.testing.assert_allclose(read.GetSpacing(), image.GetSpacing(), rtol=1e-6)


@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32])
def test_the_voxel_type_is_kept(image, tmp_path, kind):
    write_volume(sitk.Cast(image, kind), tmp_path / "v.nii")
    assert sitk.ReadImage(tmp_path / "v.nii").GetPixelID() == kind


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_the_same_image_gives_the_same_bytes(image, tmp_path, name, monkeypatch):
    write_volume(image, tmp_path / "a" / name)
    image.SetMetaData("descrip", "made on a Monday")
    monkeypatch.setattr("time.time", lambda: 1e9)
    write_volume(image, tmp_path / "b" / f"other-{name}")
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / f"other-{name}").read_bytes()


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_full_disk_leaves_the_old_file_and_nothing_else(image, tmp_path, name):
    source, path = tmp_path / "source.nii", tmp_path / "results" / name
    write_volume(image, source)
    path.parent.mkdir()
    path.write_bytes(b"the former result")
    command = [sys.executable, "-c", WRITE_ON_A_SMALL_DISK, str(source), str(path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert re.search(rf"{name}: could not be written .*[Ff]ree disk space", process.stderr)
    assert "Traceback" not in process.stderr
    assert [p.name for p in path.parent.iterdir()] == [name]
    assert path.read_bytes() == b"the former result"


def test_other_endings_are_refused(image, tmp_path):
    with pytest.raises(InputError, match=r"v\.nrrd: volumes are written as \.nii or \.nii\.gz"):
        write_volume(image, tmp_path / "v.nrrd")


@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkFloat32])
def test_mapped_voxels_are_the_image(image, tmp_path, kind):
    image = sitk.Cast(image * 50, kind)
    write_volume(image, tmp_path / "v.nii")
    mapped = map_voxels(tmp_path / "v.nii")
    assert isinstance(mapped, np.memmap)
    assert mapped.flags.c_contiguous
    assert not mapped.flags.writeable
    expected = sitk.GetArrayFromImage(image)
    assert mapped.dtype == expected.dtype
    np.testing.assert_array_equal(mapped, expected)


def test_what_cannot_be_mapped_is_refused(image, tmp_path):
    write_volume(image, tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match=r"v\.nii\.gz: only uncompressed"):
        map_voxels(tmp_path / "v.nii.gz")
    with pytest.raises(InputError, match="no such file"):
        map_voxels(tmp_path / "absent.nii")
    (tmp_path / "junk.nii").write_bytes(gzip.compress(b"no NIfTI"))
    with pytest.raises(InputError, match=r"junk\.nii: cannot be read"):
        map_voxels(tmp_path / "junk.nii")
    scaled = nibabel.Nifti1Image(np.ones((3, 4, 5), np.int16), np.eye(4))
    scaled.header.set_slope_inter(2, 10)
    scaled.to_filename(tmp_path / "scaled.nii")
    with pytest.raises(InputError, match="scaled by 2 and shifted by 10"):
        map_voxels(tmp_path / "scaled.nii")


def test_truncated_file_is_not_mapped(image, tmp_path):
    path = tmp_path / "v.nii"
    write_volume(image, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"v\.nii: cannot be read"):
        map_voxels(path)
