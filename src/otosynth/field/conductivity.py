"""Conductivity of every voxel, from its class and, where they are known, from finer labels."""

import numpy as np
import numpy.typing as npt

from otosynth.configuration.field import Conductivities
from otosynth.errors import InputError
from otosynth.tissues import AIR, BONE, CLASSES, SOFT

OTHER, FLUID, NERVE = 0, 1, 2
"""Values of the finer labels of soft voxels."""

# A mixture's conductivity to this power is the mean of its parts', between layers along the current
# (power 1) and across it (power -1). 0.6 came nearest to the field on a finer grid (docs/field.md).
MIXING = 0.6


def check_classes(classmap: npt.NDArray[np.uint8], name: str, *, complete: bool) -> None:
    """Refuse a class map with a value that is no class, or (``complete``) that lacks a class.

    Parameters
    ----------
    name
        The map, for the message.

    Raises
    ------
    InputError
        Names the value or the class.
    """
    present = np.unique(classmap)
    unknown = sorted(set(present.tolist()) - {AIR, SOFT, BONE})
    if unknown:
        raise InputError(
            f"{name}: the values {', '.join(map(str, unknown))} are no class; a class map has 0 "
            "(air), 1 (soft tissue) and 2 (bone)."
        )
    absent = [title for value, title in enumerate(CLASSES) if value not in present]
    if complete and absent:
        raise InputError(
            f"{name}: no voxel is {' or '.join(absent)}, so it is no class map of an ear; look at "
            "its thresholds (qc/histogram.png)."
        )


def conductivity_of(
    classmap: npt.NDArray[np.uint8],
    conductivities: Conductivities,
    labels: npt.NDArray[np.uint8] | None = None,
    factor: int = 1,
) -> npt.NDArray[np.float64]:
    """Return the conductivity (S/m) of every voxel, or of blocks of voxels; air has 0.

    Parameters
    ----------
    classmap
        Air, soft tissue and bone (z, y, x).
    conductivities
        Of each tissue.
    labels
        ``FLUID`` and ``NERVE`` where that is known. They count where the map says soft: a label
        refines a class and never corrects it.
    factor
        Edge of a block in voxels. A block of several tissues conducts as their mixture
        (``MIXING``), so narrow ducts and thin walls count on a coarse grid too; what is left at
        the far borders is dropped.
    """
    if factor == 1:
        return _of_voxels(classmap, conductivities, labels)
    depth, height, width = (length // factor for length in classmap.shape)
    result = np.empty((depth, height, width))
    # Layer by layer, since a micro-CT in double precision may not fit into the memory.
    for layer in range(depth):
        part = np.s_[layer * factor : (layer + 1) * factor, : height * factor, : width * factor]
        voxels = _of_voxels(
            classmap[part], conductivities, None if labels is None else labels[part]
        )
        blocks = (voxels**MIXING).reshape(factor, height, factor, width, factor)
        result[layer] = blocks.mean(axis=(0, 2, 4)) ** (1 / MIXING)
    return result


def _of_voxels(
    classmap: npt.NDArray[np.uint8],
    conductivities: Conductivities,
    labels: npt.NDArray[np.uint8] | None,
) -> npt.NDArray[np.float64]:
    of_class = np.zeros(len(CLASSES))
    of_class[SOFT], of_class[BONE] = conductivities.soft, conductivities.bone
    result = of_class[classmap]
    if labels is not None:
        for label, value in ((FLUID, conductivities.fluid), (NERVE, conductivities.nerve)):
            if value is not None:
                result[(labels == label) & (classmap == SOFT)] = value
    return result
