"""The region at the cochlea: by structures, landmarks and atlases, and where nothing tells it."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.atlas import carry_class_map
from otosynth.atlas_files import read_atlas
from otosynth.cochlea import (
    DUCT_ABOVE_TYMPANI_MM,
    DUCT_RADIUS_MM,
    agreed,
    near_scalae,
    near_tympani,
    read_sources,
    told,
)
from otosynth.configuration.phantom import PhantomSettings
from otosynth.field.landmark_lines import scala_tympani
from otosynth.files import write_json
from otosynth.phantom import make_ear
from otosynth.phantom.structures import Structure
from otosynth.volumes.arrays import spacing_zyx
from otosynth.volumes.grids import Grid
from otosynth.volumes.writing import write_volume

SPACING_MM = (0.3, 0.2, 0.25)


@pytest.fixture(scope="module")
def ear():
    return make_ear("P1", "right", PhantomSettings(spacing_mm=0.4, ct_spacing_mm=0.6), 1)


def brute_force(scalae, spacing_mm):
    """The smallest distance of every voxel to any of the scalae, one scala's voxel at a time."""
    places = np.stack(np.indices(scalae.shape), axis=-1) * spacing_mm
    nearest = np.full(scalae.shape, np.inf)
    for place in places[scalae]:
        nearest = np.minimum(nearest, ((places - place) ** 2).sum(axis=-1))
    return np.sqrt(nearest) <= 0.5 + 1e-6


def test_the_region_of_a_phantom_is_what_is_near_either_scala(ear):
    structures = sitk.GetArrayFromImage(ear.structures)
    scalae = (structures == Structure.SCALA_TYMPANI) | (structures == Structure.SCALA_VESTIBULI)
    region = near_scalae(structures, spacing_zyx(ear.structures))
    assert region.dtype == np.uint8
    np.testing.assert_array_equal(region, brute_force(scalae, spacing_zyx(ear.structures)))
    assert scalae.sum() < region.sum() < region.size / 5


def test_the_distance_is_euclidean_whatever_the_voxels_are():
    structures = np.zeros((9, 10, 11), np.uint8)
    structures[1, 8, 10] = Structure.SCALA_TYMPANI
    structures[6, 3, 2] = Structure.SCALA_VESTIBULI
    structures[4, 9, 0] = Structure.VESTIBULE
    region = near_scalae(structures, SPACING_MM)
    np.testing.assert_array_equal(region, brute_force(np.isin(structures, (2, 3)), SPACING_MM))
    assert not near_scalae(structures * 0, SPACING_MM).any()


def test_the_region_of_landmarks_is_a_tube_on_an_oblique_grid():
    """The distance to the duct's line, in mm, decides on every voxel, wherever the axes point."""
    turn = np.deg2rad(30)
    direction = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)
    grid = Grid((24, 30, 20), SPACING_MM[::-1], (3.0, -2.0, 1.0), direction)
    middle = grid.centre_mm
    # Along z, far beyond the volume: a voxel's distance is that in the plane.
    along = np.linspace(-20, 20, 2001)[:, None] * [0.0, 0.0, 1.0]
    region = near_tympani(middle + along, np.array([1.0, 0.0, 0.0]), grid)
    indices = np.stack(np.indices(grid.shape), axis=-1)[..., ::-1].reshape(-1, 3)
    places = np.array([grid.point_mm(index) for index in indices])
    offset = places - middle - [DUCT_ABOVE_TYMPANI_MM, 0, 0]
    expected = np.hypot(offset[:, 0], offset[:, 1]) <= DUCT_RADIUS_MM + 0.5
    np.testing.assert_array_equal(region.ravel() > 0, expected)
    assert 0 < expected.sum() < expected.size
    np.testing.assert_allclose(grid.index_of(places), indices, atol=1e-9)


def test_landmarks_of_a_phantom_find_most_of_its_exact_region(tmp_path, phantom_landmarks):
    settings = PhantomSettings(spacing_mm=0.2)
    structures = make_ear("P1", "right", settings, 1).structures
    file = phantom_landmarks("P1", "right", settings, 1, tmp_path / "P1.mrk.json")
    curve, _, towards_apex = scala_tympani(file, "P1")
    region = near_tympani(curve, towards_apex, Grid.of(structures))
    exact = near_scalae(sitk.GetArrayFromImage(structures), spacing_zyx(structures))
    assert 2 * np.sum(region & exact) / (region.sum() + exact.sum()) > 0.8


def test_landmarks_outside_the_volume_mark_nothing():
    grid = Grid((10, 10, 10), (0.3, 0.3, 0.3), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    far = np.array([[50.0, 0, 0], [51, 0, 0]])
    assert not near_tympani(far, np.array([0, 0, 1.0]), grid).any()


def test_half_of_the_atlases_that_reach_a_voxel_decide():
    inside, outside, unknown = 1, 0, 255
    regions = np.array(
        [
            [inside, inside, inside, outside, unknown, unknown],
            [inside, outside, unknown, inside, unknown, outside],
            [outside, outside, unknown, unknown, unknown, outside],
        ],
        np.uint8,
    )
    assert agreed(list(regions)).tolist() == [1, 0, 1, 1, 0, 0]


def test_a_region_is_carried_with_its_side(tmp_path, ear):
    """A left ear that is the mirror image of the target, moved by a known shift."""
    region = near_scalae(sitk.GetArrayFromImage(ear.structures), spacing_zyx(ear.structures))
    image = Grid.of(ear.structures).image(region[:, :, ::-1])
    write_volume(image, tmp_path / "L1/cochlea.nii")
    atlas = read_atlas(tmp_path / "L1", ["cochlea"], mirrored=True)["cochlea"]
    shift = sitk.TranslationTransform(3, (0.8, 0.0, -0.4))
    carried = sitk.GetArrayFromImage(carry_class_map(atlas, shift, ear.structures))
    # The transform takes a target point to an atlas point: two voxels along x, one along z.
    np.testing.assert_array_equal(carried[1:, :, :-2], region[:-1, :, 2:])
    assert (carried[0] == 255).all()


def test_it_is_said_which_region_is_known_and_from_where(tmp_path):
    sources = {"E1": "landmarks", "E2": "none", "E3": "atlases", "E4": "none"}
    for ear, source in sources.items():
        write_json({"source": source, "voxels": 1}, tmp_path / f"{ear}.json")
    read = read_sources(list(sources), [str(tmp_path / f"{ear}.json") for ear in sources])
    assert read == sources
    assert told(read) == (
        "Region at the cochlea, within 0.5 mm of the scalae: by landmarks along scala tympani for "
        "E1; by registered atlases that have landmarks for E3; not known for E2, E4."
    )
    assert told({"P1": "phantom", "P2": "phantom"}).endswith("by the phantom's exact structures.")
    assert told({"P1": "none"}).endswith("not known for any ear.")
