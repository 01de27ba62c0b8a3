"""A phantom's cochlea as a volume conductor, on a grid as coarse as it stays a cochlea."""

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.configuration.field import Conductivities, FieldSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.errors import InputError
from otosynth.field.conductivity import FLUID, MIXING, NERVE, check_classes, conductivity_of
from otosynth.field.electrodes import CONTACT, SITE, place_electrodes
from otosynth.field.model import ear_model, finer_labels, inside_of_truth
from otosynth.field.phantom_lines import phantom_lines
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.lattice import Lattice, scan_lattice
from otosynth.phantom.structures import CLASS_OF_STRUCTURE
from otosynth.phantom.variation import draw_variation
from otosynth.tissues import AIR, BONE, SOFT
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like

PHANTOM = PhantomSettings()
MM, EDGE = 0.3, 40
SETTINGS = FieldSettings(spacing_mm=MM, boundary_mm=10.0, site_pitch_mm=1.0)


def image_of(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([MM] * 3)
    image.SetOrigin([-MM * (EDGE - 1) / 2] * 3)
    return image


@pytest.fixture(scope="module")
def structures() -> sitk.Image:
    anatomy = Anatomy(draw_variation("P1", 1, PHANTOM), "right")
    array, _ = scan_lattice(anatomy, Lattice((EDGE,) * 3, MM * np.eye(3), np.zeros(3)))
    return image_of(array)


@pytest.fixture(scope="module")
def classmap(structures) -> sitk.Image:
    return image_like(CLASS_OF_STRUCTURE[array_of(structures)], structures)


@pytest.fixture(scope="module")
def electrodes():
    lines = phantom_lines("P1", "right", PHANTOM, 1)
    table = place_electrodes(lines, SETTINGS, "P1")
    # Three contacts are enough to see what there is to see.
    return table[(table["kind"] == SITE) | table["number"].isin([2, 6, 10])]


@pytest.fixture(scope="module")
def truth(classmap, electrodes, structures):
    labels = finer_labels(structures)
    return ear_model(classmap, electrodes, SETTINGS, "P1", labels=labels)


@pytest.fixture(scope="module")
def potentials(truth):
    return truth.transfer(truth.sites)


def test_a_contact_is_loudest_where_the_nerve_is_nearest(truth, potentials):
    assert np.isfinite(potentials).all()
    assert (potentials > 0).all()
    nearest = [np.linalg.norm(truth.sites - c, axis=1).argmin() for c in truth.contacts]
    # The canal's turns lie close together, so the peak may be a millimetre (a site) off.
    assert np.abs(potentials.argmax(axis=1) - nearest).max() <= 1


def test_a_map_that_takes_the_nerve_s_bone_for_soft_tissue_is_wrong(
    truth, potentials, classmap, electrodes, structures
):
    softened = array_of(classmap)
    softened[softened == BONE] = SOFT
    soft = ear_model(
        image_like(softened, classmap), electrodes, SETTINGS, "P1, soft",
        labels=finer_labels(structures), is_truth=False,
    )  # fmt: skip
    wrong = soft.transfer(soft.sites)
    assert np.median(np.abs(wrong / potentials - 1)) > 0.3


def test_labels_refine_soft_tissue_and_correct_nothing(classmap, structures):
    classes, labels = array_of(classmap), array_of(finer_labels(structures))
    conductivities = Conductivities()
    fine = conductivity_of(classes, conductivities, labels)
    assert set(np.unique(fine[classes == BONE])) == {conductivities.bone}
    assert (fine[(classes == SOFT) & (labels == FLUID)] == conductivities.fluid).all()
    wrong = np.full_like(classes, BONE)
    assert set(np.unique(conductivity_of(wrong, conductivities, labels))) == {conductivities.bone}
    plain = Conductivities(fluid=None, nerve=None)
    assert set(np.unique(conductivity_of(classes, plain, labels))) == {0.0, plain.bone, plain.soft}
    assert np.count_nonzero(labels == NERVE) > 0


def test_a_prediction_is_taken_at_its_word(classmap, electrodes):
    array = array_of(classmap)
    contact = electrodes[electrodes["kind"] == CONTACT].iloc[0]
    index = classmap.TransformPhysicalPointToIndex(contact[["x", "y", "z"]].to_list())
    lost, bony = array.copy(), array.copy()
    lost[index[::-1]], bony[index[::-1]] = AIR, BONE
    in_air, in_bone = (
        ear_model(image_like(a, classmap), electrodes, SETTINGS, "P1", is_truth=False)
        for a in (lost, bony)
    )
    assert in_air.fed.tolist() == [False, True, True]
    assert in_bone.fed.all()
    assert not in_air.solver.cells[in_air.solver.grid.inner][index[::-1]]
    assert np.isnan(in_air.potential_of(0)).all()
    with pytest.raises(InputError, match="contact 1: in bone"):
        ear_model(image_like(bony, classmap), electrodes, SETTINGS, "P1")


def test_the_truth_s_misplaced_contacts_may_be_left_out(classmap, electrodes, caplog):
    leave_out = SETTINGS.model_copy(update={"misplaced_contacts": "leave_out"})
    contacts = electrodes[electrodes["kind"] == CONTACT][["x", "y", "z"]].to_numpy().tolist()
    array = array_of(classmap)
    for point in contacts[1:]:
        array[classmap.TransformPhysicalPointToIndex(point)[::-1]] = BONE
    bony = image_like(array, classmap)
    model = ear_model(bony, electrodes, leave_out, "P1")
    assert model.fed.tolist() == [True, False, False]
    assert "P1: contact 2 lies in bone" in caplog.text
    outside = electrodes.assign(x=np.where(electrodes["number"] == 2, 99.0, electrodes["x"]))
    with pytest.raises(InputError, match="contact 1: outside the volume"):
        ear_model(classmap, outside, leave_out, "P1")
    array[classmap.TransformPhysicalPointToIndex(contacts[0])[::-1]] = BONE
    with pytest.raises(InputError, match="P1: 3 contacts"):
        ear_model(image_like(array, classmap), electrodes, leave_out, "P1")


def test_blocks_of_several_tissues_conduct_as_their_mixture():
    conductivities = Conductivities(soft=0.512, bone=0.027, fluid=None, nerve=None)
    classes = np.full((4, 4, 5), SOFT, np.uint8)
    classes[:2, :2, :2], classes[:2, :2, 2:] = AIR, BONE
    classes[2:, 2:, 1] = BONE
    coarse = conductivity_of(classes, conductivities, factor=2)
    assert coarse.shape == (2, 2, 2)
    assert coarse[0, 0].tolist() == pytest.approx([0.0, 0.027])
    assert coarse[1, 1, 0] == pytest.approx(half_of_each(0.512, 0.027))
    assert 2 / (1 / 0.512 + 1 / 0.027) < coarse[1, 1, 0] < (0.512 + 0.027) / 2
    labels = np.full(classes.shape, FLUID, np.uint8)
    wet = conductivity_of(classes, conductivities.model_copy(update={"fluid": 1.0}), labels, 2)
    assert wet[1, 1].tolist() == pytest.approx([half_of_each(1.0, 0.027), 1.0])


def half_of_each(first: float, second: float) -> float:
    return ((first**MIXING + second**MIXING) / 2) ** (1 / MIXING)


def test_a_contact_in_a_duct_narrower_than_a_coarse_voxel_is_not_refused(classmap, electrodes):
    coarse = SETTINGS.model_copy(update={"spacing_mm": 4 * MM})
    model = ear_model(classmap, electrodes, coarse, "P1")
    assert model.fed.all()


def test_what_lies_outside_the_mask_is_the_truth_s(classmap):
    mask = np.zeros((EDGE,) * 3, np.uint8)
    mask[10:] = 1
    predicted = image_like(np.full((EDGE,) * 3, BONE, np.uint8), classmap)
    taken = array_of(inside_of_truth(predicted, classmap, image_like(mask, classmap)))
    np.testing.assert_array_equal(taken[:10], array_of(classmap)[:10])
    assert (taken[10:] == BONE).all()


def test_a_contact_on_an_island_in_air_is_refused(electrodes, classmap):
    array = np.full((EDGE,) * 3, BONE, np.uint8)
    contacts = electrodes[electrodes["kind"] == CONTACT]
    for point in contacts[["x", "y", "z"]].to_numpy().tolist():
        z, y, x = classmap.TransformPhysicalPointToIndex(point)[::-1]
        array[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3] = AIR
        array[z, y, x] = SOFT
    with pytest.raises(InputError, match="floating conductor"):
        ear_model(image_like(array, classmap), electrodes, SETTINGS, "P1")


@pytest.mark.parametrize(
    ("array", "message"),
    [([0, 1, 2, 3], "the values 3 are no class"), ([1, 2], "no voxel is air")],
)
def test_a_map_without_a_class_is_refused(array, message):
    with pytest.raises(InputError, match=message):
        check_classes(np.array(array, np.uint8), "P1", complete=True)
    check_classes(np.array([1, 2], np.uint8), "P1", complete=False)


@pytest.mark.parametrize("key", ["soft", "bone", "fluid", "surroundings"])
def test_a_conductivity_that_is_not_positive_is_refused(key):
    with pytest.raises(ValueError, match="greater than 0"):
        Conductivities(**{key: 0.0})
