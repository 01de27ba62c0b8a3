import json

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.registration import read_initial_transform, target_registration_error

POINTS = {
    "apex": (1.0, 2.0, 3.0),
    "oval window": (5.0, 1.0, 0.0),
    "round window": (0.0, 7.0, 2.0),
    "stapes": (4.0, 4.0, 8.0),
}


@pytest.fixture
def truth():
    pose = sitk.Euler3DTransform()
    pose.SetCenter((2.0, 3.0, 4.0))
    pose.SetRotation(0.5, -1.2, 2.0)
    pose.SetTranslation((30.0, -80.0, 12.0))
    return pose


def write_fcsv(path, points, system="LPS"):
    flip = -1 if system in ("RAS", "0") else 1
    lines = ["# Markups fiducial file version = 4.11", f"# CoordinateSystem = {system}"]
    lines.append("# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID")
    for number, (label, (x, y, z)) in enumerate(points.items()):
        lines.append(f"n_{number},{flip * x},{flip * y},{z},0,0,0,1,1,1,0,{label},,")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_markups(path, points, system="LPS"):
    flip = -1 if system == "RAS" else 1
    control = [{"label": k, "position": [flip * x, flip * y, z]} for k, (x, y, z) in points.items()]
    path.write_text(
        json.dumps(
            {
                "markups": [
                    {"type": "Fiducial", "coordinateSystem": system, "controlPoints": control}
                ]
            }
        )
    )
    return path


def in_ct(pose):
    return {label: pose.TransformPoint(point) for label, point in POINTS.items()}


def assert_same(found, truth):
    assert isinstance(found, sitk.Euler3DTransform)
    points = np.array(list(POINTS.values()))
    assert target_registration_error(found, truth, points).max() < 1e-4


@pytest.mark.parametrize("system", ["LPS", "RAS", "0", "1"])
def test_fcsv_landmarks_in_either_coordinate_system(tmp_path, truth, system):
    shuffled = dict(reversed(in_ct(truth).items()))
    ct = write_fcsv(tmp_path / "ct.fcsv", shuffled, system)
    microct = write_fcsv(tmp_path / "microct.fcsv", POINTS, "LPS")
    assert_same(read_initial_transform([ct, microct], "ear"), truth)


@pytest.mark.parametrize("write", [write_fcsv, write_markups])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_landmarks_of_other_editors(tmp_path, truth, write, encoding):
    ending = "fcsv" if write is write_fcsv else "mrk.json"
    ct = write(tmp_path / f"ct.{ending}", in_ct(truth))
    ct.write_bytes(ct.read_text().encode(encoding))
    microct = write(tmp_path / f"microct.{ending}", POINTS)
    assert_same(read_initial_transform([ct, microct], "ear"), truth)
    ct.write_bytes("Öhr".encode("cp1252"))
    with pytest.raises(InputError, match=r"^ear: .*ct\.\w+.* line 1 is not UTF-8"):
        read_initial_transform([ct, microct], "ear")


@pytest.mark.parametrize("system", ["LPS", "RAS"])
def test_markups_json_landmarks(tmp_path, truth, system):
    ct = write_markups(tmp_path / "ct.mrk.json", in_ct(truth), system)
    microct = write_fcsv(tmp_path / "microct.fcsv", POINTS, "RAS")
    assert_same(read_initial_transform([ct, microct], "ear"), truth)


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".h5", ".mat"])
def test_transform_files(tmp_path, truth, suffix):
    path = tmp_path / f"initial{suffix}"
    transform = truth
    if suffix == ".mat":  # rigid, stored as an affine transform
        transform = sitk.AffineTransform(3)
        transform.SetMatrix(truth.GetMatrix())
        transform.SetTranslation(truth.TransformPoint((0.0, 0.0, 0.0)))
    if suffix == ".h5":
        shift = sitk.TranslationTransform(3, (1.0, 2.0, 3.0))
        transform = sitk.CompositeTransform([truth, shift, shift.GetInverse()])
    sitk.WriteTransform(transform, str(path))
    assert_same(read_initial_transform([path], "ear"), truth)


def scaled():
    transform = sitk.AffineTransform(3)
    transform.Scale(1.1)
    return transform


def mirrored():
    transform = sitk.AffineTransform(3)
    transform.Scale((-1.0, 1.0, 1.0))
    return transform


def deformed():
    image = sitk.Image([4, 4, 4], sitk.sitkFloat32)
    return sitk.BSplineTransformInitializer(image, [1, 1, 1])


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (scaled(), "must be rigid"),
        (mirrored(), "must be rigid"),
        (deformed(), "not a rigid transform"),
        (sitk.Euler2DTransform(), "not a rigid transform"),
    ],
)
def test_a_transform_that_is_not_rigid_is_refused(tmp_path, transform, message):
    path = tmp_path / "initial.tfm"
    sitk.WriteTransform(transform, str(path))
    with pytest.raises(InputError, match=message):
        read_initial_transform([path], "ear")


def test_a_file_that_is_no_transform_is_refused(tmp_path):
    path = tmp_path / "initial.tfm"
    path.write_text("hello")
    with pytest.raises(InputError, match=r"ear: .*initial.tfm cannot be read as an ITK transform"):
        read_initial_transform([path], "ear")


def test_a_missing_or_single_or_foreign_file_is_refused(tmp_path, truth):
    ct = write_fcsv(tmp_path / "ct.fcsv", in_ct(truth))
    with pytest.raises(InputError, match="does not exist"):
        read_initial_transform([tmp_path / "none.tfm"], "ear")
    with pytest.raises(InputError, match=r"one ITK transform .* or two landmark files"):
        read_initial_transform([ct], "ear")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {**p, "umbo": (1.0, 1.0, 1.0)}, "umbo are in only one of"),
        (lambda p: {**p, "apex": (float("nan"), 1.0, 1.0)}, "'apex' .* is not a point"),
        (lambda p: {**p, "apex": p["stapes"], "stapes": p["apex"]}, "do not correspond"),
    ],
)
def test_landmarks_that_do_not_pair_are_refused(tmp_path, truth, change, message):
    ct = write_fcsv(tmp_path / "ct.fcsv", change(in_ct(truth)))
    microct = write_fcsv(tmp_path / "microct.fcsv", POINTS)
    with pytest.raises(InputError, match=message):
        read_initial_transform([ct, microct], "ear")


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"a": (0, 0, 0), "b": (1, 1, 1)}, "at least three"),
        ({"a": (0, 0, 0), "b": (1, 1, 1), "c": (5, 5, 5)}, "on one line"),
        ({"a": (1, 1, 1), "b": (1, 1, 1), "c": (1, 1, 1)}, "on one line"),
    ],
)
def test_landmarks_that_leave_the_pose_open_are_refused(tmp_path, points, message):
    ct = write_fcsv(tmp_path / "ct.fcsv", points)
    microct = write_fcsv(tmp_path / "microct.fcsv", points)
    with pytest.raises(InputError, match=message):
        read_initial_transform([ct, microct], "ear")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# CoordinateSystem = LPS\n", "", "must say whether its coordinates are RAS or LPS"),
        ("= LPS", "= IJK", "found 'IJK'"),
        ("stapes", "apex", "two landmarks called 'apex'"),
        ("# columns", "# titles", "cannot be read as a 3D Slicer landmark file"),
        ("1.0", "one", "cannot be read as a 3D Slicer landmark file"),
    ],
)
def test_a_damaged_landmark_file_is_refused(tmp_path, old, new, message):
    good = write_fcsv(tmp_path / "ct.fcsv", POINTS)
    bad = tmp_path / "microct.fcsv"
    bad.write_text(good.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        read_initial_transform([good, bad], "ear")
