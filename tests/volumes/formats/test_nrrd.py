"""NRRD: spaces, units, what a header states twice, encodings, and refusals."""

import bz2
import gzip

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.reading import read_scan_header, read_volume
from otosynth.volumes.stated import Stated

VOXELS = np.random.default_rng(7).integers(-1000, 2000, (5, 6, 7)).astype("<i2")
FIELDS = {
    "type": "short",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "7 6 5",
    "space directions": "(0.3,0,0) (0,0.4,0) (0,0,0.5)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(1,2,3)",
}


def write(path, voxels=None, **changes):
    """Write a file with changed fields (None: left out); a _ is a space in their names."""
    voxels = VOXELS.tobytes() if voxels is None else voxels
    changes = {name.replace("_", " "): value for name, value in changes.items()}
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not None}
    lines = ["NRRD0005", "# a comment", *(f"{name}: {value}" for name, value in fields.items())]
    detached = "data file" in fields
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + (b"" if detached else voxels))
    return path


def test_encodings_orders_of_bytes_and_skips(tmp_path):
    raw = VOXELS.tobytes()
    (tmp_path / "v.raw").write_bytes(b"one line\nanother\n" + b"xyz" + raw)
    for changes in (
        {},
        {"voxels": VOXELS.astype(">i2").tobytes(), "endian": "big"},
        {"voxels": gzip.compress(raw), "encoding": "gzip"},
        {"voxels": bz2.compress(raw), "encoding": "bz2"},
        {"voxels": " ".join(map(str, VOXELS.ravel())).encode(), "encoding": "text"},
        {"data_file": "v.raw", "line_skip": "2", "byte_skip": "3"},
        {"data_file": "v.raw", "byte_skip": "-1"},
        {"sizes": "1 7 6 5", "dimension": "4",
         "space_directions": "none (0.3,0,0) (0,0.4,0) (0,0,0.5)", "kinds": None},
    ):  # fmt: skip
        image = read_volume(write(tmp_path / "v.nhdr", **changes))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS)
        assert image.GetSpacing() == (0.3, 0.4, 0.5)
        assert image.GetOrigin() == (1, 2, 3)


@pytest.mark.parametrize(
    ("space", "origin", "flipped"),
    [
        ("left-posterior-superior", (1, 2, 3), False),
        ("LPS", (1, 2, 3), False),
        ("right-anterior-superior", (-1, -2, 3), False),
        ("left-anterior-superior", (1 + 6 * 0.3, -2, 3), True),
    ],
)
def test_spaces_lead_where_they_say(tmp_path, space, origin, flipped):
    image = read_volume(write(tmp_path / "v.nrrd", space=space))
    assert image.GetOrigin() == pytest.approx(origin)
    voxels = VOXELS[:, :, ::-1] if flipped else VOXELS
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels)


@pytest.mark.parametrize("space", [None, "scanner-xyz", "3D-right-handed"])
def test_orientation_is_asked_for(tmp_path, space):
    path = write(tmp_path / "v.nrrd", space=space)
    with pytest.raises(InputError, match=r"states no orientation.*microct_stated: orientation=LPS"):
        read_volume(path)
    stated = Stated(orientation="RAS")
    assert read_volume(path, stated).GetOrigin() == (-1, -2, 3)
    assert "RAS is stated for it" in read_scan_header(path, stated).remarks[0]


def test_spacings_alone_need_an_orientation(tmp_path):
    changes = {"space": None, "space_directions": None, "space_origin": None}
    path = write(tmp_path / "v.nrrd", spacings="0.3 0.4 0.5", **changes)
    image = read_volume(path, Stated(orientation="LPS"))
    assert image.GetSpacing() == (0.3, 0.4, 0.5)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VOXELS)


@pytest.mark.parametrize(("unit", "mm"), [("um", 1e-3), ("mm", 1), ("m", 1e3), ("microns", 1e-3)])
def test_space_units_are_honoured(tmp_path, unit, mm):
    steps = [f"{size / mm:.9g}" for size in (0.3, 0.4, 0.5)]
    path = write(
        tmp_path / "v.nrrd",
        space_units=f'"{unit}" "{unit}" "{unit}"',
        space_directions=f"({steps[0]},0,0) (0,{steps[1]},0) (0,0,{steps[2]})",
        space_origin="(" + ",".join(f"{v / mm:.9g}" for v in (1, 2, 3)) + ")",
    )
    image = read_volume(path)
    assert image.GetSpacing() == pytest.approx((0.3, 0.4, 0.5))
    assert image.GetOrigin() == pytest.approx((1, 2, 3))
    assert read_scan_header(path).units == unit


def test_spacings_and_directions_are_compared(tmp_path):
    path = write(tmp_path / "v.nrrd", spacings="0.3 0.4 0.6")
    with pytest.raises(InputError, match=r"voxel size twice.*0.3 x 0.4 x 0.5.*0.3 x 0.4 x 0.6"):
        read_volume(path)
    for believe, mm in (("directions", 0.5), ("spacings", 0.6)):
        image = read_volume(path, Stated(believe=believe))
        assert image.GetSpacing()[2] == pytest.approx(mm)
        assert image.GetDirection() == pytest.approx(np.eye(3).ravel())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "block"}, "type 'block', which is not supported"),
        ({"encoding": "zrl"}, "encoded as 'zrl', which is not supported"),
        ({"encoding": "gzip"}, "compressed voxels are damaged"),
        ({"endian": None}, "does not say the order of the bytes"),
        ({"sizes": "7 6 4"}, "of another volume"),
        ({"sizes": "7 6 50"}, "is truncated"),
        ({"sizes": "7 6"}, "states 3 dimensions and the sizes '7 6'"),
        ({"sizes": "7 6 x"}, "the sizes '7 6 x'"),
        ({"sizes": "inf 6 5"}, "the sizes 'inf 6 5'"),
        ({"kinds": "domain domain"}, "states 2 kinds of axes for 3 axes"),
        ({"kinds": "RGB-color domain domain"}, "an axis of the kind 'RGB-color'"),
        ({"kinds": ""}, "'kinds' has no value"),
        ({"dimension": "4", "sizes": "1 1 6 5", "kinds": "vector list domain domain",
          "space_directions": "none none (0,0.4,0) (0,0,0.5)"}, "no 3D volume"),
        ({"dimension": "4", "sizes": "2 7 6 5", "kinds": "vector domain domain domain",
          "space_directions": "none (0.3,0,0) (0,0.4,0) (0,0,0.5)"}, "2 values per voxel"),
        ({"space_units": '"um" "mm" "mm"'}, "different units"),
        ({"space_units": '"furlong" "furlong" "furlong"'}, "no unit known here"),
        ({"spacce": "LPS"}, "field 'spacce', which NRRD does not know"),
        ({"space_origin": ""}, "'space origin' has no value"),
        ({"space_origin": "(1,2,1e9)"}, "beyond any scanner"),
        ({"space_origin": "(1,2)"}, "should be 3 numbers"),
        ({"space_origin": "(1,2,nan)"}, "should be 3 numbers"),
        ({"data_file": "absent.raw"}, "absent.raw, which is missing"),
        ({"data_file": "LIST"}, "in several files"),
    ],
)  # fmt: skip
def test_what_is_no_scan_is_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_volume(write(tmp_path / "v.nrrd", **changes))
