"""Altered scans of every format are read as an independent reader does, or refused truly.

A case is repeated by ``python -m fuzz FORMAT --case N --keep FOLDER`` in this folder.
"""

import numpy as np
import pytest
from fuzz.common import AXIS_ORDERS, Alteration, Reading, UndefinedError, random_scan
from fuzz.judge import difference, judged
from fuzz.supervisor import run_cases

CASES = {"nifti": 420, "nrrd": 420, "metaimage": 420, "tiff": 380, "dicom": 360}


@pytest.mark.parametrize("name", CASES)
def test_altered_scans_are_read_truly_or_refused_truly(name):
    cases = list(run_cases(name, 0, CASES[name]))
    assert [case.case for case in cases] == list(range(CASES[name]))
    wrong = [str(case) for case in cases if case.finding]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong)
    # What refuses everything would pass so far.
    read = sum(case.outcome == "read" for case in cases)
    assert read >= len(cases) // 4


@pytest.mark.parametrize("name", CASES)
def test_valid_scans_are_read(name):
    cases = list(run_cases(name, -20, 0))
    assert [(case.outcome, case.finding) for case in cases] == [("read", "")] * 20


def test_cases_are_two_thousand():
    assert sum(CASES.values()) == 2000


@pytest.fixture
def reading() -> Reading:
    return random_scan(np.random.default_rng(1), ["float32"]).reading


@pytest.mark.parametrize("order", AXIS_ORDERS[::5])
def test_a_reading_is_the_same_in_any_order_of_its_axes(reading, order):
    other = _reordered(reading, order)
    assert difference(other, reading) == ""
    assert difference(reading, other) == ""


def _reordered(reading: Reading, order: np.ndarray) -> Reading:
    """Count the axes of a volume otherwise; column k of ``order`` is the new axis k."""
    axes = np.abs(order).argmax(axis=0)
    signs = order.sum(axis=0)
    values = reading.values.transpose(axes)[tuple(slice(None, None, int(s)) for s in signs)]
    affine = reading.affine.copy()
    affine[:3, :3] = reading.affine[:3, :3] @ order
    ends = np.where(signs < 0, np.array(values.shape) - 1, 0)
    affine[:3, 3] = reading.affine[:3, 3] - affine[:3, :3] @ ends
    return Reading(values, affine)


@pytest.mark.parametrize(
    ("axis", "found"), [(0, "values differ"), (1, "values differ"), (2, "values differ")]
)
def test_a_mirrored_reading_is_found(reading, axis, found):
    assert found in difference(Reading(np.flip(reading.values, axis), reading.affine), reading)


def test_a_shift_a_size_and_a_value_are_found(reading):
    shifted, larger = reading.affine.copy(), reading.affine.copy()
    shifted[0, 3] += 0.01
    larger[:3, :3] *= 1.001
    assert "from where they belong" in difference(Reading(reading.values, shifted), reading)
    assert "from where they belong" in difference(Reading(reading.values, larger), reading)
    values = reading.values.copy()
    values[1, 2, 3] += 1
    assert "1 values differ" in difference(Reading(values, reading.affine), reading)


@pytest.mark.parametrize(
    ("message", "finding"),
    [
        ("v.nii: its voxels have no size; export it again.", "does not name the path"),
        ("{path}: its voxels\nhave no size; export it again.", "several lines"),
        ("{path}: its voxel size is 0 (itk::ERROR); export it again.", "jargon"),
        ("{path}: its voxel size is 0.", "does not say what to do"),
        ("{path}: its voxel size is 0; it may be truncated, export it again.", "says truncated"),
        ("{path}: is a colour image; export it again.", "something else"),
    ],
)
def test_an_untrue_message_is_found(tmp_path, monkeypatch, reading, message, finding):
    from otosynth.errors import InputError

    path = tmp_path / "scan.nii"
    path.write_bytes(b"")

    def refuse(_: object) -> None:
        raise InputError(message.format(path=path))

    monkeypatch.setattr("fuzz.judge.read_volume", refuse)
    verdict = judged(path, reading, Alteration("spacing 0", ("units",)), UndefinedError("no size"))
    assert finding in verdict.finding
