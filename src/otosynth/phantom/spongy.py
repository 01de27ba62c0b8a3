"""Spongy bone: trabeculae with marrow between them, where there are no air cells."""

import numpy as np

from otosynth.phantom.shapes import Points
from otosynth.phantom.structures import Labels, Structure
from otosynth.phantom.variation import Variation


def spongy_bone(variation: Variation, ear: Points) -> Labels:
    """Trabeculae or marrow (n,) at points (3, n), mm, of the frame of the right ear.

    There is bone where one random field exceeds a level that another, slower one moves, so that
    some places hold much marrow and others are nearly compact.
    """
    level = variation.diploe_level + variation.diploe.at(ear)[0]
    bone = variation.trabeculae.at(ear)[0] > level
    return np.where(bone, Structure.TRABECULAE, Structure.MARROW).astype(np.uint8)
