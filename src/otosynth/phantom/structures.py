"""Names of the phantom's anatomical structures and the tissue class of each."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from otosynth.tissues import AIR, BONE, SOFT

Labels = npt.NDArray[np.uint8]
"""Values of ``Structure``."""


class Structure(IntEnum):
    """Value of each structure in ``PhantomEar.structures``."""

    PETROUS_BONE = 0
    OTIC_CAPSULE = 1
    SCALA_TYMPANI = 2
    SCALA_VESTIBULI = 3
    SPIRAL_LAMINA = 4
    BASILAR_MEMBRANE = 5
    MODIOLUS = 6
    COCHLEAR_NERVE = 7
    VESTIBULE = 8
    LATERAL_CANAL = 9
    SUPERIOR_CANAL = 10
    POSTERIOR_CANAL = 11
    INTERNAL_AUDITORY_CANAL = 12
    FACIAL_NERVE = 13
    ROUND_WINDOW = 14
    OVAL_WINDOW = 15
    MIDDLE_EAR = 16
    MUCOSA = 17
    OSSICLES = 18
    AIR_CELLS = 19
    FILLED_CELLS = 20
    CAROTID_CANAL = 21
    TENSOR_TYMPANI = 22
    EAR_CANAL = 23
    TYMPANIC_MEMBRANE = 24
    CRANIAL_CAVITY = 25
    TRABECULAE = 26
    MARROW = 27
    VESTIBULAR_AQUEDUCT = 28
    COCHLEAR_AQUEDUCT = 29
    SMALL_CANALS = 30


STRUCTURES: dict[str, int] = {s.name.lower(): int(s) for s in Structure}
"""Value of each structure by its name, for example ``STRUCTURES['scala_tympani']``."""

LABYRINTH = (
    Structure.SCALA_TYMPANI,
    Structure.SCALA_VESTIBULI,
    Structure.BASILAR_MEMBRANE,
    Structure.VESTIBULE,
    Structure.LATERAL_CANAL,
    Structure.SUPERIOR_CANAL,
    Structure.POSTERIOR_CANAL,
)
"""The spaces of the inner ear."""

_AIR_FILLED = {Structure.MIDDLE_EAR, Structure.AIR_CELLS, Structure.EAR_CANAL}
_BONY = {
    Structure.PETROUS_BONE,
    Structure.OTIC_CAPSULE,
    Structure.SPIRAL_LAMINA,
    Structure.MODIOLUS,
    Structure.OSSICLES,
    Structure.TRABECULAE,
}


def tissue_class(structure: Structure) -> int:
    """Return the tissue class (``otosynth.tissues``) of a structure."""
    if structure in _AIR_FILLED:
        return AIR
    return BONE if structure in _BONY else SOFT


CLASS_OF_STRUCTURE: npt.NDArray[np.uint8] = np.array(
    [tissue_class(s) for s in Structure], dtype=np.uint8
)
"""Tissue class at the index that is the structure's value."""
