"""Patches from disk to the network: cut, scaled to [-1, 1], classes one-hot inside the mask."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import torch

from otosynth.errors import InputError
from otosynth.methods.base import Batch, UnpairedBatch
from otosynth.normalisation import Normalisation
from otosynth.pairs import Pair
from otosynth.priors import prior_channels
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic

SPATIAL_AXES = (2, 3, 4)


@dataclass(frozen=True)
class PatchReader:
    """Reads the patches of a table from the memory-mapped pairs.

    Attributes
    ----------
    table
        A patch table (see ``otosynth.patches``).
    pairs
        The table's specimens.
    normalisation
        The group's windows.
    """

    table: pd.DataFrame
    pairs: Mapping[str, Pair]
    normalisation: Normalisation
    arithmetic: Arithmetic

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self.table)

    def read(self, index: int) -> Batch:
        """Return the patch in row ``index`` as a batch of one."""
        row = self.table.iloc[index]
        pair = self.pairs[row.specimen]
        at = tuple(slice(row[axis], row[axis] + row["size"]) for axis in "zyx")
        mask = pair.mask[at] > 0
        classes = np.stack([(pair.classmap[at] == k) & mask for k in range(len(CLASSES))])
        prior = prior_channels([volume[at] for volume in pair.prior], self.normalisation)
        return Batch(
            ct=self._tensor(self.normalisation.ct.normalise(pair.ct[at])[None]),
            microct=self._tensor(self.normalisation.microct.normalise(pair.microct[at])[None]),
            mask=self._tensor(mask[None]),
            classes=self._tensor(classes),
            prior=None if prior is None else self._tensor(prior),
        )

    def _tensor(self, channels: np.ndarray) -> torch.Tensor:
        return self.arithmetic.place(torch.from_numpy(np.ascontiguousarray(channels))[None])


@dataclass(frozen=True)
class TrainingPatches:
    """What a training step sees: a pair's patch, or two ears' patches; mirrored or not.

    Attributes
    ----------
    reader
        The training specimens' patches.
    paired
        Whether CT and micro-CT are of the same ear.
    augmentation
        ``none``, or ``flips``: mirrored at random along each axis.
    """

    reader: PatchReader
    paired: bool
    augmentation: Literal["none", "flips"]

    def __post_init__(self) -> None:
        """Refuse an unpaired training on one ear.

        Raises
        ------
        InputError
            If the micro-CT could be of no other ear than the CT.
        """
        if not self.paired and len(self._rows_of) < 2:
            raise InputError(
                "A method that trains without pairs needs two training specimens in every group; "
                f"here there is only {', '.join(self._rows_of)}."
            )

    def read(self, index: int, seed: int) -> Batch:
        """Return a step's batch: the patch in row ``index``, and what ``seed`` decides."""
        random = np.random.default_rng(seed)
        batch = self.reader.read(index)
        if not self.paired:
            batch = _unpaired(batch, self.reader.read(self.partner(index, random)))
        return _flipped(batch, random) if self.augmentation == "flips" else batch

    def partner(self, index: int, random: np.random.Generator) -> int:
        """Return the row of the micro-CT that accompanies a CT: any of another ear."""
        own = self.reader.table["specimen"].iloc[index]
        others = np.concatenate([rows for name, rows in self._rows_of.items() if name != own])
        return int(random.choice(others))

    @cached_property
    def _rows_of(self) -> dict[str, np.ndarray]:
        """The rows of each specimen."""
        specimens = self.reader.table["specimen"].to_numpy()
        return {name: np.flatnonzero(specimens == name) for name in dict.fromkeys(specimens)}


def _unpaired(ct: Batch, microct: Batch) -> UnpairedBatch:
    return UnpairedBatch(
        ct=ct.ct,
        mask=ct.mask,
        classes=ct.classes,
        prior=ct.prior,
        microct=microct.microct,
        microct_mask=microct.mask,
        microct_classes=microct.classes,
    )


def _flipped(batch: Batch, random: np.random.Generator) -> Batch:
    """Mirror all of a batch along some axes."""
    axes = [axis for axis in SPATIAL_AXES if random.random() < 0.5]
    if not axes:
        return batch
    return replace(batch, **{name: t.flip(axes) for name, t in batch.tensors.items()})
