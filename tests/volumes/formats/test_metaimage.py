"""MetaImage: what a header states twice, orders of bytes, names with accents, and refusals."""

import unicodedata
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.reading import input_files, read_scan_header, read_volume
from otosynth.volumes.stated import NOTHING_STATED, Stated

VOXELS = np.random.default_rng(6).integers(-1000, 2000, (5, 6, 7)).astype("<i2")
KEYS = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "ElementSpacing": "0.3 0.4 0.5",
    "DimSize": "7 6 5",
    "ElementType": "MET_SHORT",
}


def write(path, voxels=None, file="LOCAL", encoding="utf-8", **changes):
    """Write a header with changed keys (None: left out), and the voxels after it or beside it."""
    voxels = VOXELS.tobytes() if voxels is None else voxels
    keys = {key: value for key, value in (KEYS | changes).items() if value is not None}
    lines = [f"{key} = {value}" for key, value in (keys | {"ElementDataFile": file}).items()]
    header = ("\n".join(lines) + "\n").encode(encoding)
    path.write_bytes(header + (voxels if file == "LOCAL" else b""))
    return path


def array(path, stated=NOTHING_STATED):
    return sitk.GetArrayFromImage(read_volume(path, stated))


def test_orders_of_bytes_encodings_and_skipped_bytes(tmp_path):
    packed = zlib.compress(VOXELS.tobytes())
    text = " ".join(map(str, VOXELS.ravel())).encode()
    (tmp_path / "skipped.raw").write_bytes(b"x" * 13 + VOXELS.tobytes())
    for changes in (
        {},
        {"voxels": VOXELS.astype(">i2").tobytes(), "BinaryDataByteOrderMSB": "True"},
        {"voxels": packed, "CompressedData": "True", "CompressedDataSize": str(len(packed))},
        {"voxels": text, "BinaryData": "False"},
        {"NDims": "4", "DimSize": "7 6 5 1", "ElementSpacing": "0.3 0.4 0.5 1",
         "Offset": "1 2 3 0", "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"},
        {"file": "skipped.raw", "HeaderSize": "13"},
        {"file": "skipped.raw", "HeaderSize": "-1"},
    ):  # fmt: skip
        image = read_volume(write(tmp_path / "v.mhd", **changes))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS)
        assert image.GetSpacing() == (0.3, 0.4, 0.5)
        assert image.GetOrigin() == (1, 2, 3)


@pytest.mark.parametrize(
    ("unit", "mm"), [("mm", 1), ("um", 1e-3), ("micrometers", 1e-3), ("cm", 10), ("?", 1)]
)
def test_the_unit_of_length_is_honoured(tmp_path, unit, mm):
    spacing = " ".join(f"{size / mm:.9g}" for size in (0.3, 0.4, 0.5))
    offset = " ".join(f"{v / mm:.9g}" for v in (1, 2, 3))
    path = write(tmp_path / "v.mha", DistanceUnits=unit, ElementSpacing=spacing, Offset=offset)
    image = read_volume(path)
    assert image.GetSpacing() == pytest.approx((0.3, 0.4, 0.5))
    assert image.GetOrigin() == pytest.approx((1, 2, 3))


def test_orientation_is_asked_for(tmp_path):
    path = write(tmp_path / "v.mha", TransformMatrix=None)
    with pytest.raises(InputError, match=r"states no orientation .neither TransformMatrix"):
        read_volume(path)
    np.testing.assert_array_equal(array(path, Stated(orientation="LPS")), VOXELS)
    np.testing.assert_array_equal(array(path, Stated(orientation="LAS")), VOXELS[:, :, ::-1])
    # From the right, the anterior and the inferior, which is to LPS.
    path = write(tmp_path / "v.mha", TransformMatrix=None, AnatomicalOrientation="RAI")
    assert read_volume(path).GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert "AnatomicalOrientation is used" in read_scan_header(path).remarks[0]


def test_a_place_that_is_not_stated_is_said(tmp_path):
    path = write(tmp_path / "v.mha", Offset=None)
    assert read_volume(path).GetOrigin() == (0, 0, 0)
    assert "no place of its first voxel" in read_scan_header(path).remarks[0]


def test_matrix_and_letters_are_compared(tmp_path):
    path = write(tmp_path / "v.mha", AnatomicalOrientation="LPI")
    with pytest.raises(InputError, match=r"orientation twice.*LPS .TransformMatrix.*axes to RAS"):
        read_volume(path)
    assert read_volume(path, Stated(believe="matrix")).GetDirection() == tuple(np.eye(3).ravel())
    letters = read_volume(path, Stated(believe="letters"))
    assert letters.GetDirection() == (-1, 0, 0, 0, -1, 0, 0, 0, 1)


def test_spacing_and_size_of_voxels_are_compared(tmp_path):
    write(tmp_path / "same.mha", ElementSize="0.3 0.4 0.5")
    assert read_volume(tmp_path / "same.mha").GetSpacing() == (0.3, 0.4, 0.5)
    path = write(tmp_path / "v.mha", ElementSize="0.3 0.4 0.6")
    with pytest.raises(InputError, match=r"voxel size twice.*believe=spacing or believe=size"):
        read_volume(path)
    for believe, mm in (("spacing", 0.5), ("size", 0.6)):
        assert read_volume(path, Stated(believe=believe)).GetSpacing()[2] == mm


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_with_accents_are_found(tmp_path, encoding):
    (tmp_path / "Hörschnecke.raw").write_bytes(VOXELS.tobytes())
    path = write(tmp_path / "v.mhd", file="Hörschnecke.raw", encoding=encoding)
    np.testing.assert_array_equal(array(path), VOXELS)
    assert [file.name for file in input_files(path)] == ["Hörschnecke.raw", "v.mhd"]


def test_an_accent_of_two_characters_is_the_same(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "Hörschnecke.raw")).write_bytes(VOXELS.tobytes())
    np.testing.assert_array_equal(array(write(tmp_path / "v.mhd", file="Hörschnecke.raw")), VOXELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ElementNumberOfChannels": "3"}, "3 values per voxel"),
        ({"ElementType": "MET_STRING"}, "type 'MET_STRING', which is not supported"),
        ({"DimSize": "7 6 4"}, "bytes where its header announces .*of another volume"),
        ({"DimSize": "7 6 50"}, "is truncated"),
        ({"DimSize": "7 6"}, "states 3 dimensions and the sizes '7 6'"),
        ({"NDims": "x"}, "'NDims' should be a whole number"),
        ({"DimSize": "7 -6 5"}, "the sizes '7 -6 5'"),
        ({"DimSize": "7 6 5 3", "NDims": "4", "ElementSpacing": "1 1 1 1", "Offset": None,
          "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"}, "7 x 6 x 5 x 3 voxels"),
        ({"TransformMatrix": "1 0 0 0 1 0 0.2 0 1"}, "not at right angles"),
        ({"TransformMatrix": "1 0 0 0 1 0 0 0 x"}, "should be 9 numbers"),
        ({"Offset": "1 2 nan"}, "no finite numbers|should be"),
        ({"TransformMatrix": ""}, "'TransformMatrix' has no value"),
        ({"TransformMatrix": "1e300 0 0 0 1 0 0 0 1"}, "not at right angles"),
        ({"Offs\x01et": "1 2 3"}, "header is damaged, or is none"),
        ({"Position": "1 2 4"}, "states one thing twice.*Offset: 1 2 3; Position: 1 2 4"),
        ({"DistanceUnits": "furlong"}, "no unit known here"),
        ({"ElementToIntensityFunctionSlope": "2"}, "a scale of its intensities"),
        ({"CompressedData": "True"}, "compressed voxels are damaged"),
        ({"CompressedData": "True", "BinaryData": "False"}, "compressed and that they are text"),
        ({"ObjectType": "Tube"}, "an object of the type 'Tube'"),
        ({"CompressedData": "maybe"}, "'CompressedData' should be True or False and is 'maybe'"),
        ({"BinaryData": "False"}, "voxels as decimal numbers"),
        ({"file": "absent.raw"}, "absent.raw, which is missing"),
        ({"file": "v%03d.raw"}, "in several files"),
    ],
)  # fmt: skip
def test_what_is_no_scan_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_volume(write(tmp_path / "v.mha", **changes))
