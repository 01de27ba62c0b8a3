"""Anatomy of the phantom: Cohen's spiral, canals, openings, and building in blocks."""

import numpy as np
import pytest
from scipy import ndimage

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom.anatomy import CENTRE, Anatomy
from otosynth.phantom.canals import lateral_canal, posterior_canal, superior_canal
from otosynth.phantom.cochlea import Cochlea, outer_wall_radius_mm
from otosynth.phantom.lattice import FOUR, Lattice, scan_lattice
from otosynth.phantom.shapes import Cloud, Ellipsoid, Union, tube
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Structure
from otosynth.phantom.variation import draw_variation
from otosynth.tissues import AIR, SOFT

FLUID = [
    Structure.SCALA_TYMPANI,
    Structure.SCALA_VESTIBULI,
    Structure.VESTIBULE,
    Structure.LATERAL_CANAL,
    Structure.SUPERIOR_CANAL,
    Structure.POSTERIOR_CANAL,
]


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return Anatomy(draw_variation("P2", 1, PhantomSettings()), "left")


@pytest.fixture(scope="module")
def wide(anatomy: Anatomy) -> np.ndarray:
    """Structures of an ear that holds the whole labyrinth, at 0.2 mm."""
    structures, _ = scan_lattice(anatomy, Lattice((100,) * 3, 0.2 * np.eye(3), np.zeros(3)))
    return structures


def touching(structures: np.ndarray, one: Structure, other: Structure) -> int:
    return int((ndimage.binary_dilation(structures == one) & (structures == other)).sum())


def test_cohens_spiral_at_known_angles() -> None:
    radii = outer_wall_radius_mm(np.array([10.3, 99.99, 100.0, 190.3, 280.0, 460.0]))
    expected = [6.257, 3.298, 3.298, 2.928, 2.602, 2.053]
    assert np.allclose(radii, expected, atol=2e-3)
    # The basal diameter runs from the round window through the modiolus to the far wall.
    assert outer_wall_radius_mm(10.3) + outer_wall_radius_mm(190.3) == pytest.approx(9.2, abs=0.05)


@pytest.mark.parametrize("turns", [2.4, 2.75])
def test_duct_axis_turns_and_rises(turns: float) -> None:
    cochlea = Cochlea(turns, 3.2)
    line = cochlea.centreline(2000)
    x, y, z = (line @ axis for axis in cochlea.axes)
    swept = np.rad2deg(np.unwrap(np.arctan2(y, x)))
    assert swept[-1] - swept[0] == pytest.approx(360 * turns - 10.3, abs=0.1)
    assert z[-1] == pytest.approx(3.2)
    # The wall lies half a lumen outside the axis: where the duct is round, along the radius.
    at = cochlea.locate(line.T.astype(np.float32))
    assert np.abs(at.distance + 0.8 * at.half_width).max() < 0.02


def test_outer_wall_is_where_cohen_says() -> None:
    cochlea = Cochlea(2.6, 3.2)
    outer = cochlea.wall_points()[:400].T.astype(np.float32)
    assert np.abs(cochlea.locate(outer).distance).max() < 0.01


def test_right_cochlea_turns_anticlockwise_seen_from_its_apex() -> None:
    x, y, z = Cochlea(2.6, 3.2).axes
    assert np.linalg.det(np.stack([x, y, z])) == pytest.approx(1.0)
    assert z[0] < 0  # the apex points laterally (x runs to the left) and forwards
    assert z[1] < 0


def test_canals_are_mutually_perpendicular() -> None:
    normals = [c.normal for c in (lateral_canal(2.3), superior_canal(3.2), posterior_canal(3.2))]
    gram = np.array([[a @ b for b in normals] for a in normals])
    assert np.allclose(gram, np.eye(3), atol=1e-12)


def test_labyrinth_is_one_fluid_space(wide: np.ndarray) -> None:
    fluid = np.isin(wide, FLUID)
    parts, _ = ndimage.label(fluid)
    sizes = np.bincount(parts[fluid])
    assert sizes.max() / fluid.sum() > 0.999
    for structure in FLUID:
        assert (wide == structure).any()


def test_windows_part_fluid_from_air(wide: np.ndarray) -> None:
    air = CLASS_OF_STRUCTURE[wide] == AIR
    assert not (ndimage.binary_dilation(np.isin(wide, FLUID)) & air).any()
    assert touching(wide, Structure.OVAL_WINDOW, Structure.VESTIBULE) > 20
    assert touching(wide, Structure.OVAL_WINDOW, Structure.MIDDLE_EAR) > 10
    assert touching(wide, Structure.ROUND_WINDOW, Structure.SCALA_TYMPANI) > 20
    assert touching(wide, Structure.ROUND_WINDOW, Structure.MIDDLE_EAR) > 10
    assert touching(wide, Structure.SCALA_VESTIBULI, Structure.VESTIBULE) > 10
    assert touching(wide, Structure.SCALA_TYMPANI, Structure.VESTIBULE) == 0


def test_nerve_reaches_the_modiolus(wide: np.ndarray) -> None:
    nerve = np.isin(wide, [Structure.COCHLEAR_NERVE, Structure.INTERNAL_AUDITORY_CANAL])
    parts, _ = ndimage.label(nerve)
    sizes = np.bincount(parts[nerve])
    assert sizes.max() / nerve.sum() > 0.9
    assert touching(wide, Structure.COCHLEAR_NERVE, Structure.MODIOLUS) > 20


def test_lamina_survives_at_the_default_spacing(anatomy: Anatomy) -> None:
    lattice = Lattice((70,) * 3, 0.12 * np.eye(3), anatomy.from_ear(np.zeros((1, 3)))[0])
    structures, _ = scan_lattice(anatomy, lattice)
    parts, _ = ndimage.label(structures == Structure.SPIRAL_LAMINA, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    assert sizes.max() / sizes.sum() > 0.9


@pytest.mark.parametrize("brick", [9, 60])
def test_blocks_give_the_same_bytes_as_the_whole(anatomy: Anatomy, brick: int) -> None:
    tilted = 0.25 * np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    lattice = Lattice((40, 35, 30), tilted, np.array([0.3, -0.2, 0.1]))
    whole, whole_attenuation = scan_lattice(anatomy, lattice, brick=24, samples=FOUR)
    parts, parts_attenuation = scan_lattice(anatomy, lattice, brick=brick, samples=FOUR)
    assert parts.tobytes() == whole.tobytes()
    assert parts_attenuation.tobytes() == whole_attenuation.tobytes()


def test_from_ear_undoes_to_ear(anatomy: Anatomy) -> None:
    points = CENTRE + np.random.default_rng(0).uniform(-6.0, 6.0, size=(200, 3))
    back = anatomy.to_ear(anatomy.from_ear(points).T).T
    assert np.abs(back - points).max() < 1e-5


def test_more_pneumatised_ears_have_more_air_cells() -> None:
    variation = draw_variation("P1", 1, PhantomSettings())
    lattice = Lattice((40,) * 3, 0.4 * np.eye(3), np.zeros(3))
    air = []
    for pneumatisation in (0.5, 1.0):
        changed = type(variation)(**{**vars(variation), "pneumatisation": pneumatisation})
        structures, _ = scan_lattice(Anatomy(changed, "right"), lattice)
        air.append(int((structures == Structure.AIR_CELLS).sum()))
    assert air[1] > 1.2 * air[0]


def test_soft_structures_are_soft() -> None:
    for structure in (*FLUID, Structure.MUCOSA, Structure.FACIAL_NERVE, Structure.ROUND_WINDOW):
        assert CLASS_OF_STRUCTURE[structure] == SOFT


def test_distances_of_simple_solids() -> None:
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [9, 0, 0]], dtype=np.float32).T
    ball = Ellipsoid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    assert np.allclose(ball.distance(points[:, 1:]), [1.0, 0.0, 8.0], atol=1e-5)
    rod = tube([(0, 0, 0), (4, 0, 0)], [0.5, 1.5])
    assert np.allclose(rod.distance(points), [-0.5, -1.0, 0.5, 3.5], atol=1e-6)
    assert Union([rod]).distance(Cloud(points), 2.0)[3] > 100.0
