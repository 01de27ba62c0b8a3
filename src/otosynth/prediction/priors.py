"""The prior of a new CT: what a model's training ears, registered to it, say beforehand.

As the study made it for its tested ears (:mod:`otosynth.priors`), from the volumes that the model
keeps of its training ears.
"""

from collections.abc import Callable, Iterator

import numpy as np
import SimpleITK as sitk

from otosynth.atlas import carry_class_map, carry_ct, register_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.configuration.methods.base import PriorKind
from otosynth.prediction.model import Reference, TrainedModel
from otosynth.priors import mean_microct, votes
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import array_of

Prior = tuple[np.ndarray, ...]


def priors_of_members(
    ct: sitk.Image,
    mask: sitk.Image,
    model: TrainedModel,
    kind: PriorKind | None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Prior]:
    """Yield each member's prior of a CT; each training ear is registered once.

    Parameters
    ----------
    ct, mask
        The CT (HU) and its field of view on the training grid, seen from the working side.
    kind
        Of the method's prior.
    advance
        Called after each registration.

    Yields
    ------
    tuple of np.ndarray
        As :class:`otosynth.pairs.Pair` has it; empty for a method without a prior.

    Raises
    ------
    InputError
        If a training ear cannot be placed on the CT.
    """
    if kind is None:
        yield from (() for _ in model.facts.members)
        return
    settings = AtlasSettings.model_validate(model.facts.atlas)
    transforms = {}
    for reference in model.references:
        ear, atlas = reference.facts.ear, reference.atlas
        seed = derive_seed(model.facts.members[0].seed, "prior", ear)
        transforms[ear] = register_atlas(
            ct, sitk.Cast(atlas["ct"], sitk.sitkFloat32), settings, seed, mask, atlas["mask"]
        )
        advance()
    for member in model.facts.members:
        ears = [r for r in model.references if r.facts.ear in member.training]
        yield _prior(ct, ears, transforms, kind)


def _prior(
    ct: sitk.Image,
    references: list[Reference],
    transforms: dict[str, sitk.Transform],
    kind: PriorKind,
) -> Prior:
    carry, name = (carry_ct, "microct") if kind == "microct" else (carry_class_map, "classmap")
    carried = [array_of(carry(r.atlas[name], transforms[r.facts.ear], ct)) for r in references]
    if kind == "microct":
        return (mean_microct(carried),)
    return tuple(votes(carried, label) for label in range(len(CLASSES)))
