"""Electrodes lie where they should: by the phantom's anatomy, and by landmarks of a real ear."""

import json

import numpy as np
import pytest

from otosynth.configuration.field import FieldSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.errors import InputError
from otosynth.field.electrodes import (
    CONTACT,
    SITE,
    misplaced_contacts,
    place_electrodes,
    points_of,
    refuse_misplaced,
)
from otosynth.field.landmark_lines import landmark_lines
from otosynth.field.phantom_lines import phantom_lines
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.structures import Structure
from otosynth.phantom.variation import draw_variation

PHANTOM = PhantomSettings()


@pytest.mark.parametrize(("specimen", "side"), [("P1", "right"), ("P2", "left"), ("E3", "right")])
@pytest.mark.parametrize("contacts", [12, 16])
def test_the_phantom_s_anatomy_says_where_they_are(specimen, side, contacts):
    settings = FieldSettings(contacts=contacts, contact_pitch_mm=1.2)
    lines = phantom_lines(specimen, side, PHANTOM, 1)
    electrodes = place_electrodes(lines, settings, specimen)
    anatomy = Anatomy(draw_variation(specimen, 1, PHANTOM), side)
    for kind, structure in (
        (CONTACT, Structure.SCALA_TYMPANI),
        (SITE, Structure.COCHLEAR_NERVE),
    ):
        points = points_of(electrodes, kind)
        found, _ = anatomy.structures_at(points.T.astype(np.float32))
        assert set(found.tolist()) == {structure}
    assert len(points_of(electrodes, CONTACT)) == contacts


def test_contacts_keep_their_distance_and_go_towards_the_apex():
    lines = phantom_lines("P1", "right", PHANTOM, 1)
    electrodes = place_electrodes(lines, FieldSettings(), "P1")
    array = electrodes[electrodes["kind"] == CONTACT]
    np.testing.assert_allclose(np.diff(array["along_mm"]), 1.4)
    # A chord is a little shorter than its arc.
    steps = np.linalg.norm(np.diff(points_of(electrodes, CONTACT), axis=0), axis=1)
    assert ((steps > 1.15) & (steps <= 1.4)).all()
    for _, points in electrodes.groupby("kind"):
        assert (np.diff(points["angle_deg"]) > 0).all()
        assert points["number"].tolist() == list(range(1, len(points) + 1))


def test_an_array_longer_than_the_cochlea_is_refused():
    lines = phantom_lines("P1", "right", PHANTOM, 1)
    with pytest.raises(InputError, match=r"P1: the array's last contact lies 36\.0 mm deep"):
        place_electrodes(lines, FieldSettings(contact_pitch_mm=3.0), "P1")


def test_contacts_outside_soft_tissue_are_listed_in_one_message():
    classmap = np.ones((4, 4, 4), np.uint8)
    classmap[0], classmap[3] = 0, 2
    indices = np.array([[1.5, 1, 1], [0.2, 1, 1], [3.9, 1, 1], [1, 4.1, 1], [-0.1, 1, 1]])
    misplaced = misplaced_contacts(classmap, indices)
    assert misplaced == {
        2: "in air", 3: "in bone", 4: "outside the volume", 5: "outside the volume",
    }  # fmt: skip
    with pytest.raises(InputError, match="E1: 4 contacts") as error:
        refuse_misplaced(misplaced, "E1")
    assert "contact 2: in air" in str(error.value)
    assert "contact 5: outside the volume" in str(error.value)
    refuse_misplaced({}, "E1")


def spiral(turns: float = 2.5, side: int = 1) -> dict[str, list[float]]:
    """Landmarks along a spiral round the z axis whose radius falls from 4 to 2 mm."""
    share = np.linspace(0, 1, 30)
    angle, radius = side * 2 * np.pi * turns * share, 4 - 2 * share
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), 3 * share], axis=1)
    landmarks = {f"S{k}": p for k, p in enumerate(points.tolist(), start=1)}
    return landmarks | {"M1": [0.0, 0.0, -1.0], "M2": [0.0, 0.0, 4.0]}


def write(path, landmarks):
    points = [{"label": k, "position": p} for k, p in landmarks.items()]
    path.write_text(json.dumps({"markups": [{"coordinateSystem": "LPS", "controlPoints": points}]}))
    return path


@pytest.mark.parametrize("side", [1, -1])
def test_landmarks_of_a_known_spiral(tmp_path, side):
    lines = landmark_lines(write(tmp_path / "S.mrk.json", spiral(side=side)), "H1", 1.0)
    tympani, canal = lines.scala_tympani, lines.ganglion
    share = tympani.angles_deg / 900
    assert share[-1] == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.hypot(*tympani.points[:, :2].T), 4 - 2 * share, atol=0.03)
    np.testing.assert_allclose(
        np.hypot(*tympani.points[:, :2].T) - np.hypot(*canal.points[:, :2].T), 1.0, atol=1e-9
    )
    np.testing.assert_array_equal(tympani.points[:, 2], canal.points[:, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"S3": None}, "without a gap"),
        ({"M2": None}, "needs the landmarks M1 and M2"),
        ({"apex": [0.0, 0.0, 0.0]}, "has the landmark 'apex'"),
        ({"M2": [0.0, 0.0, -1.0]}, "lie at one place"),
        ({"S2": [4.0, 0.0, 0.0]}, "two neighbouring S landmarks"),
    ],
)
def test_wrong_landmarks_are_refused(tmp_path, change, message):
    landmarks = {k: p for k, p in (spiral() | change).items() if p is not None}
    with pytest.raises(InputError, match=message):
        landmark_lines(write(tmp_path / "S.mrk.json", landmarks), "H1", 1.0)


def test_a_canal_beyond_the_axis_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"lower electric_field\.site_offset_mm"):
        landmark_lines(write(tmp_path / "S.mrk.json", spiral()), "H1", 2.5)
