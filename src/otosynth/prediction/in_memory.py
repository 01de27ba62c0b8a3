"""A small model trained on images in memory: for notebooks, without a study.

It learns on the grid that it is given, to its last epoch, and no ear is held back to select the
epoch or to test it. What it says of itself is that it has no study and no records.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydantic import ValidationError

from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.methods import method_settings
from otosynth.configuration.patches import NormalisationSettings
from otosynth.errors import InputError
from otosynth.methods import create_method
from otosynth.methods.base import Method
from otosynth.normalisation import Normalisation, Window, percentiles_of_volumes
from otosynth.pairs import Pair, from_side
from otosynth.patches import patch_table
from otosynth.prediction.members import member_of, networks_used
from otosynth.prediction.model import ModelFacts, Reference, TrainedModel, Triple
from otosynth.prediction.references import hu_percentiles, reference_of
from otosynth.seeds import derive_seed
from otosynth.specimens import Side
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import CHECKPOINTS
from otosynth.training.trainer import Job, Trainer
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import Grid, same_grid

# Nobody needs a state of a training of seconds.
STATE_MINUTES = 60.0
WORKING_SIDE: Side = "right"


@dataclass(frozen=True)
class TrainingEar:
    """A registered pair of one ear, all images on the micro-CT's grid.

    Attributes
    ----------
    ct, mask, pose
        As :func:`otosynth.api.register` gives them.
    microct, classes
        The micro-CT, and its class map: air 0, soft tissue 1, bone 2.
    ct_spacing_mm
        Voxel (x, y, z) of the CT as it was scanned; None: not known.
    """

    name: str
    ct: sitk.Image
    microct: sitk.Image
    mask: sitk.Image
    classes: sitk.Image
    pose: sitk.Transform
    side: Side = "right"
    ct_spacing_mm: Triple | None = None

    def __post_init__(self) -> None:
        """Refuse images on different grids.

        Raises
        ------
        InputError
            If they are.
        """
        for image in (self.ct, self.mask, self.classes):
            if not same_grid(image, self.microct):
                raise InputError(
                    f"{self.name}: CT, mask and classes must lie on the micro-CT's grid; "
                    "`register` and `class_map` put them there."
                )

    @property
    def mirrored(self) -> bool:
        """Whether the networks see its mirror image."""
        return self.side != WORKING_SIDE

    def pair(self) -> Pair:
        """Return its voxels as the networks see them."""
        ct, microct, mask, classes = (
            from_side(array_of(image), self.mirrored)
            for image in (self.ct, self.microct, self.mask, self.classes)
        )
        # Nothing tells where the cochlea is.
        return Pair(ct, microct, mask, classes, np.zeros_like(mask))

    def reference(self) -> Reference:
        """Return what a new CT is compared with."""
        hu = hu_percentiles(array_of(self.ct), array_of(self.mask))
        return reference_of(
            self.name, sitk.Cast(self.ct, sitk.sitkFloat32), self.mask, self.pose, self.mirrored,
            1, hu, self.ct_spacing_mm,
        )  # fmt: skip


def train_model(
    ears: Sequence[TrainingEar],
    method: str,
    settings: dict[str, Any],
    patch_size: int,
    seed: int,
    label: str,
    phantom: bool,
) -> TrainedModel:
    """Train a method on some ears.

    Parameters are those of :func:`otosynth.api.train`.

    Raises
    ------
    InputError
        If there is no ear, or the method or its settings do not fit.
    """
    if not ears:
        raise InputError("Give at least one ear to train on.")
    trained = _method(method, settings, ears)
    pairs = {ear.name: ear.pair() for ear in ears}
    windows = _windows(pairs)
    # float32 everywhere, so that a small model is nearly the same on every machine.
    arithmetic = resolve_arithmetic("auto", "float32", threads=1)
    table = patch_table(pairs, patch_size, patch_size // 4)
    reader = PatchReader(table, pairs, windows, arithmetic)
    with tempfile.TemporaryDirectory(prefix="otosynth-train-") as folder:
        job = Job(
            f"{method}, {label}", derive_seed(seed, "training", "", method, 1), Path(folder),
            STATE_MINUTES,
        )  # fmt: skip
        Trainer(trained, reader, reader, arithmetic, job).train()
        last = max((Path(folder) / CHECKPOINTS).iterdir())
        used = networks_used(trained)
        member, weights = member_of(last, "all", seed, windows.training, (), windows, used)
    references = tuple(ear.reference() for ear in ears)
    facts = ModelFacts(
        study="notebook",
        label=label,
        source="phantom" if phantom else "files",
        root="none: trained in memory",
        method=method,
        settings=trained.settings.model_dump(mode="json"),
        classmap=ClassMapSettings().model_dump(mode="json"),
        patch_size=patch_size,
        threads=1,
        working_side=WORKING_SIDE,
        members=(member,),
        references=tuple(reference.facts for reference in references),
        dice={},
    )
    return TrainedModel(facts, (weights,), references)


def _method(name: str, settings: dict[str, Any], ears: Sequence[TrainingEar]) -> Method:
    try:
        checked = method_settings(name, {"title": name} | settings)
    except (ValidationError, ValueError) as error:
        raise InputError(f"{name} cannot be trained so: {error}.") from None
    if checked.prior_kind or checked.requires or not checked.tested or checked.factor > 1:
        raise InputError(
            f"{name} cannot be trained in memory with these settings: it needs a prior, another "
            "method's networks or a coarser grid. Run a study (`snakemake`)."
        )
    method = create_method(checked)
    method.voxel_mm = Grid.of(ears[0].microct).voxel_mm
    return method


def _windows(pairs: dict[str, Pair]) -> Normalisation:
    """Return the intensity windows, as a study's default ones."""
    wanted = NormalisationSettings()
    low, high = percentiles_of_volumes(
        [(pair.microct, pair.mask) for pair in pairs.values()], wanted.microct_percentiles
    )
    ct = Window(*wanted.ct_window_hu)
    return Normalisation(ct, Window(low, high, wanted.scale), tuple(sorted(pairs)))
