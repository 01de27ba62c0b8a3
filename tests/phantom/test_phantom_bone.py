"""Air cells, spongy bone, thin walls and small canals of a phantom ear."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import KDTree

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.lattice import Lattice, scan_lattice
from otosynth.phantom.shapes import Union, tube
from otosynth.phantom.structures import CLASS_OF_STRUCTURE, Structure
from otosynth.phantom.variation import draw_variation
from otosynth.tissues import AIR, BONE, SOFT

BELOW_THE_LABYRINTH = (-4.0, 4.0, -8.0)
VARIATION = draw_variation("P1", 1, PhantomSettings())


def anatomy_of(**changes: object) -> Anatomy:
    return Anatomy(replace(VARIATION, **changes), "right")


def cube(anatomy: Anatomy, centre: tuple, edge_mm: float, spacing_mm: float) -> np.ndarray:
    """Structures of a cube round a point of the right ear's frame."""
    count = round(edge_mm / spacing_mm)
    middle = anatomy.from_ear(np.array([centre]))[0]
    return scan_lattice(anatomy, Lattice((count,) * 3, spacing_mm * np.eye(3), middle))[0]


def touches(one: np.ndarray, other: np.ndarray) -> int:
    """How many faces two sets of voxels share."""
    faces = 0
    for axis in range(3):
        a, b = (np.moveaxis(array, axis, 0) for array in (one, other))
        faces += int((a[1:] & b[:-1]).sum() + (a[:-1] & b[1:]).sum())
    return faces


@pytest.mark.parametrize("centre", [(-3.0, 2.5, -1.5), (1.5, 2.0, 1.0), (-5.0, 5.0, 4.0)])
def test_marrow_lies_in_bone_alone(centre: tuple) -> None:
    anatomy = anatomy_of(pneumatisation=0.6, marrow_radius=0.4)
    structures = cube(anatomy, centre, 6.0, 0.1)
    spongy = np.isin(structures, [Structure.TRABECULAE, Structure.MARROW])
    beside = ndimage.binary_dilation(structures == Structure.MARROW) & ~spongy
    assert beside.sum() > 200
    # What pierces spongy bone, and the bone that parts it from all else.
    assert set(structures[beside].tolist()) <= {
        Structure.PETROUS_BONE,
        Structure.OTIC_CAPSULE,
        Structure.MODIOLUS,
        Structure.SMALL_CANALS,
        Structure.VESTIBULAR_AQUEDUCT,
        Structure.COCHLEAR_AQUEDUCT,
    }


@pytest.mark.parametrize("capsule_mm", [0.5, 1.1])
def test_spongy_bone_stays_out_of_the_otic_capsule(capsule_mm: float) -> None:
    anatomy = anatomy_of(capsule_mm=capsule_mm)
    structures = cube(anatomy, (2.0, 5.0, 3.0), 6.0, 0.15)
    spongy = np.isin(structures, [Structure.TRABECULAE, Structure.MARROW])
    assert spongy.mean() > 0.1
    fluid = np.isin(structures, [Structure.SUPERIOR_CANAL, Structure.POSTERIOR_CANAL])
    to_fluid_mm = ndimage.distance_transform_edt(~fluid, sampling=0.15)
    assert to_fluid_mm[spongy].min() > capsule_mm - 0.15


def test_wider_marrow_spaces_leave_less_bone() -> None:
    shares = []
    for radius in (0.3, 0.37, 0.44):
        structures = cube(anatomy_of(marrow_radius=radius), (2.0, 5.0, 3.0), 6.0, 0.15)
        marrow, bone = ((structures == s).sum() for s in (Structure.MARROW, Structure.TRABECULAE))
        shares.append(marrow / (marrow + bone))
    # Balls that hardly meet fill 4/3 pi r^3 of the lattice's cells.
    assert shares[0] == pytest.approx(4 / 3 * np.pi * 0.3**3, abs=0.05)
    assert shares[0] + 0.05 < shares[1] < shares[2] - 0.05


def test_marrow_spaces_are_as_wide_as_their_spacing_says() -> None:
    structures = cube(anatomy_of(marrow_radius=0.36), (2.0, 5.0, 3.0), 6.0, 0.08)
    depth = ndimage.distance_transform_edt(structures == Structure.MARROW, sampling=0.08)
    spacing_mm = anatomy_of().variation.marrow_spacing_mm
    assert depth.max() == pytest.approx(0.36 * spacing_mm, rel=0.5)


def test_linked_cells_are_one_body_of_air() -> None:
    # Openings are wider than the lattice that looks at them.
    anatomy = anatomy_of(filled_cells=0.0, pneumatisation=1.0, mucosa_mm=0.06, cell_spacing_mm=1.6)
    spacing_mm, count = 0.1, 64
    middle = anatomy.from_ear(np.array([BELOW_THE_LABYRINTH]))[0]
    lattice = Lattice((count,) * 3, spacing_mm * np.eye(3), middle)
    structures, _ = scan_lattice(anatomy, lattice)
    air = structures == Structure.AIR_CELLS
    bodies, number = ndimage.label(air)
    cells = anatomy.cells
    points = lattice.points((slice(0, count),) * 3)[:, air.ravel()]
    bent = cells.bent(anatomy.to_ear(points).astype(np.float32))
    own = KDTree(cells.seeds).query(bent.T)[1]
    seen = np.unique(own)
    assert len(seen) > 20
    assert number < 0.5 * len(seen)
    # A cell that the cube cuts may be joined to its neighbour outside it.
    body = bodies[air]
    inner = [k for k in seen if (own == k).sum() > 200 and cells.towards_antrum[k] in seen]
    joined = [bool(set(body[own == k]) & set(body[own == cells.towards_antrum[k]])) for k in inner]
    assert len(joined) > 10
    assert np.mean(joined) > 0.9


@pytest.mark.parametrize("centre", [BELOW_THE_LABYRINTH, (-6.6, 1.0, 0.0)])
def test_mucosa_lines_air(centre: tuple) -> None:
    structures = cube(anatomy_of(mucosa_mm=0.18, capsule_mm=1.1), centre, 6.0, 0.1)
    air, soft, bone = (CLASS_OF_STRUCTURE[structures] == c for c in (AIR, SOFT, BONE))
    assert touches(air, soft) > 1000
    assert touches(air, bone) < 0.02 * touches(air, soft)


def open_walls(thin_wall_mm: float) -> tuple[int, int]:
    """Faces of the middle ear's mucosa or air with the facial nerve, and with the cranium."""
    anatomy = anatomy_of(thin_wall_mm=thin_wall_mm, tegmen_mm=8.3)
    structures = cube(anatomy, (-6.5, 4.0, 4.0), 10.0, 0.2)
    cavity = np.isin(structures, [Structure.MUCOSA, Structure.MIDDLE_EAR])
    return (
        touches(cavity, structures == Structure.FACIAL_NERVE),
        touches(cavity, structures == Structure.CRANIAL_CAVITY),
    )


def test_thin_walls_have_dehiscences_and_thick_ones_have_none() -> None:
    assert max(open_walls(thin_wall_mm=0.0)) > 20
    assert open_walls(thin_wall_mm=1.2) == (0, 0)


def test_small_canals_cross_bone_alone() -> None:
    with_canals, without = anatomy_of(), anatomy_of()
    nowhere = Union([tube([(90.0, 0.0, 0.0), (99.0, 0.0, 0.0)], 1.0)])
    without.round = replace(without.round, small_canals=nowhere)
    structures, filled = (cube(a, (-4.0, 2.0, 1.0), 14.0, 0.2) for a in (with_canals, without))
    canals = structures == Structure.SMALL_CANALS
    assert canals.sum() > 300
    assert (structures == filled)[~canals].all()
    assert (CLASS_OF_STRUCTURE[filled[canals]] == BONE).all()
    assert not (filled[canals] == Structure.OSSICLES).any()


@pytest.mark.parametrize(
    ("aqueduct", "space", "start"),
    [
        (Structure.VESTIBULAR_AQUEDUCT, Structure.VESTIBULE, (-0.4, 5.9, 2.6)),
        (Structure.COCHLEAR_AQUEDUCT, Structure.SCALA_TYMPANI, (-1.8, 3.1, -2.0)),
    ],
)
@pytest.mark.parametrize("specimen", ["P1", "P4"])
def test_aqueducts_reach_the_labyrinth(specimen, aqueduct, space, start) -> None:
    anatomy = Anatomy(draw_variation(specimen, 1, PhantomSettings()), "right")
    structures = cube(anatomy, start, 3.0, 0.06)
    parts, _ = ndimage.label(structures == aqueduct)
    sizes = np.bincount(parts.ravel())[1:]
    assert sizes.max() > 0.9 * sizes.sum()
    assert touches(parts == sizes.argmax() + 1, structures == space) > 2
