"""NIfTI: two statements of a geometry, scaling, orders of bytes, and what is no NIfTI."""

import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.grids import Grid
from otosynth.volumes.reading import read_scan_header, read_slabs, read_volume
from otosynth.volumes.stated import NOTHING_STATED, Stated

# Indices to RAS; in LPS the axes are those of the body.
BASE = np.diag([-0.3, -0.3, 0.3, 1.0])
VOXELS = np.random.default_rng(5).integers(-1000, 2000, (7, 6, 5)).astype(np.int16)


def write(path, sform=BASE, qform=BASE, codes=(1, 1), kind=nibabel.Nifti1Image, voxels=VOXELS):
    image = kind(voxels, BASE)
    image.set_sform(sform, codes[0])
    image.set_qform(qform, codes[1])
    image.to_filename(path)
    return path


def change(path, **fields):
    """Change fields of a header of version 1."""
    content = bytearray(path.read_bytes())
    header = np.frombuffer(content, nibabel.nifti1.header_dtype, 1)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(content)
    return path


def read_both(path, stated=NOTHING_STATED):
    """Return a volume that is read as a whole and by slabs, after they were found to be equal."""
    whole = read_volume(path, stated)
    grid, slabs = read_slabs(path, stated)
    assert grid == Grid.of(whole)
    np.testing.assert_array_equal(np.concatenate(list(slabs)), sitk.GetArrayFromImage(whole))
    return whole


OTHER_SIZE = np.diag([-0.3, -0.3, 0.6, 1.0])
OTHER_SIDE = np.diag([0.3, -0.3, 0.3, 1.0])
TILTED = BASE + np.eye(4, k=1) * [[0], [0.08], [0], [0]]


@pytest.mark.parametrize(
    ("sform", "said"),
    [
        (OTHER_SIZE, "sform says 0.3 x 0.3 x 0.6 mm.*qform says 0.3 x 0.3 x 0.3 mm"),
        (OTHER_SIDE, "sform says .* axes to RPS.*qform says .* axes to LPS"),
        (TILTED, "sform says .* tilted by 14.9 degrees"),
        (BASE + np.eye(4, k=3), r"first voxel at 1, 0, 0 mm .*first voxel at 0, 0, 0 mm"),
    ],
)
def test_two_geometries_are_refused_with_both(tmp_path, sform, said):
    path = write(tmp_path / "v.nii", sform)
    for read in (read_volume, read_slabs, read_scan_header):
        with pytest.raises(InputError, match=f"twice.*{said}.*believe=sform or believe=qform"):
            read(path)
    image = read_both(path, Stated(believe="qform"))
    assert image.GetSpacing() == pytest.approx((0.3, 0.3, 0.3))
    np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-6)


def test_the_one_that_is_believed_is_used_and_said(tmp_path):
    path = write(tmp_path / "v.nii", OTHER_SIZE)
    stated = Stated(believe="sform")
    assert read_both(path, stated).GetSpacing() == pytest.approx((0.3, 0.3, 0.6))
    assert "sform is believed" in read_scan_header(path, stated).remarks[0]
    sheared = write(tmp_path / "sheared.nii", TILTED)
    with pytest.raises(InputError, match="not at right angles"):
        read_volume(sheared, stated)


def test_the_sizes_of_a_lone_sform_are_compared_with_pixdim(tmp_path):
    path = change(write(tmp_path / "v.nii", codes=(1, 0)), pixdim=[1, 1, 1, 1, 1, 1, 1, 1])
    with pytest.raises(InputError, match=r"sform says 0.3 .*pixdim says 1 x 1 x 1 mm"):
        read_volume(path)
    for believe, mm in (("sform", 0.3), ("pixdim", 1.0)):
        assert read_both(path, Stated(believe=believe)).GetSpacing() == pytest.approx([mm] * 3)


@pytest.mark.parametrize(("codes", "used"), [((2, 0), "sform"), ((0, 1), "qform")])
def test_where_one_is_absent_the_other_is_used_and_said(tmp_path, codes, used):
    path = write(tmp_path / "v.nii", codes=codes)
    assert read_both(path).GetSpacing() == pytest.approx((0.3, 0.3, 0.3))
    assert read_scan_header(path).remarks[0].endswith(f"the {used} is used.")


def test_rounding_is_no_contradiction(tmp_path):
    turned = BASE.copy()
    turn = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()
    turned[:3, :3] = 0.0376 * np.reshape(turn, (3, 3))
    path = write(tmp_path / "v.nii", turned, turned)
    assert read_scan_header(path).remarks == ()
    assert read_both(path).GetSpacing() == pytest.approx([0.0376] * 3)


def test_orientation_may_be_stated_where_there_is_none(tmp_path):
    path = write(tmp_path / "v.nii", codes=(0, 0))
    with pytest.raises(InputError, match=r"states no orientation .*orientation=LPS"):
        read_volume(path)
    image = read_both(path, Stated(orientation="RPS"))
    # Right-handed from the left-handed axes that are stated.
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS.T[:, :, ::-1])
    assert image.GetOrigin() == pytest.approx((-6 * 0.3, 0, 0))
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("slope", "intercept", "as_read"),
    [(0, -1024, (1, 0)), (np.nan, np.nan, (1, 0)), (0.5, -1024, (0.5, -1024)), (1, 7, (1, 7)),
     (0, np.inf, (1, 0))],
)  # fmt: skip
def test_values_are_scaled_by_the_standard_s_rule(tmp_path, slope, intercept, as_read):
    path = change(write(tmp_path / "v.nii"), scl_slope=slope, scl_inter=intercept)
    packed = tmp_path / "v.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, packed):
        array = sitk.GetArrayFromImage(read_both(file))
        np.testing.assert_array_equal(array, VOXELS.T * as_read[0] + as_read[1])


@pytest.mark.parametrize(("slope", "intercept"), [(2, np.nan), (1, np.inf), (np.inf, 0)])
def test_a_scale_that_is_no_number_is_refused(tmp_path, slope, intercept):
    path = change(write(tmp_path / "v.nii"), scl_slope=slope, scl_inter=intercept)
    for read in (read_volume, read_slabs):
        with pytest.raises(InputError, match="no numbers to compute with"):
            read(path)


def test_big_endian_version_2_and_a_series_of_one_are_read(tmp_path):
    big = nibabel.Nifti1Image(VOXELS, BASE, nibabel.Nifti1Header(endianness=">"))
    big.to_filename(tmp_path / "big.nii")
    assert (tmp_path / "big.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    write(tmp_path / "two.nii", kind=nibabel.Nifti2Image)
    write(tmp_path / "series.nii", voxels=VOXELS[..., None])
    for name in ("big", "two", "series"):
        image = read_both(tmp_path / f"{name}.nii")
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS.T)
        assert image.GetSpacing() == pytest.approx((0.3, 0.3, 0.3))
        np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-7)


def test_units_are_those_of_the_header_or_stated(tmp_path):
    path = change(write(tmp_path / "v.nii"), xyzt_units=0)
    assert read_scan_header(path).units == "mm (not stated)"
    micrometres = np.diag([-30.0, -30, 30, 1])
    path = write(tmp_path / "um.nii", micrometres, micrometres)
    for code, stated in ((3, Stated()), (0, Stated(unit="um"))):
        image = read_both(change(path, xyzt_units=code), stated)
        assert image.GetSpacing() == pytest.approx((0.03, 0.03, 0.03))
    with pytest.raises(InputError, match=r"outside 0.005 to 5 mm"):
        read_volume(change(path, xyzt_units=2))
    with pytest.raises(InputError, match=r"unknown unit .code 5"):
        read_volume(change(path, xyzt_units=5))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bitpix": 32}, "states 32 bits a voxel and a data type of 16"),
        ({"dim": [3, 7, 6, 4, 1, 1, 1, 1]}, "holds 772 bytes where its header announces 688"),
        ({"dim": [3, -7, 6, 5, 1, 1, 1, 1]}, "states the sizes"),
        ({"dim": [9, 7, 6, 5, 1, 1, 1, 1]}, "is damaged or of another file"),
        ({"vox_offset": 340}, "begin at byte 340"),
        ({"vox_offset": np.nan}, "begin at byte nan"),
        ({"quatern_b": 3}, "is no rotation"),
        ({"datatype": 128, "bitpix": 24}, "3 values per voxel"),
        ({"datatype": 999}, "header is damaged"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "twice|voxel size of nan"),
        ({"magic": b"ni1"}, "voxels are in another file"),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, fields, message):
    path = change(write(tmp_path / "v.nii"), **fields)
    for read in (read_volume, read_slabs):
        with pytest.raises(InputError, match=message):
            read(path)


def test_pairs_and_wrong_endings_are_called_so(tmp_path):
    path = write(tmp_path / "v.nii")
    (tmp_path / "packed.nii").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match=r"compressed by gzip; give it the ending .nii.gz"):
        read_volume(tmp_path / "packed.nii")
    nibabel.Nifti1Pair(VOXELS, BASE).to_filename(tmp_path / "pair.hdr")
    for name in ("pair.hdr", "pair.img"):
        with pytest.raises(InputError, match="one of a pair of header and image"):
            read_volume(tmp_path / name)


def test_values_beyond_float32_are_refused(tmp_path):
    voxels = VOXELS.astype(np.float64)
    voxels[1, 2, 3] = 1e300
    path = write(tmp_path / "v.nii", voxels=voxels)
    for read in (read_volume, read_slabs):
        with pytest.raises(InputError, match="1 voxels are NaN or infinite"):
            read(path)
