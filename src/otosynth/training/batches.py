"""Patches from disk to the network: cut, scaled to [-1, 1], classes one-hot inside the mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import torch

from otosynth.configuration.methods.base import NO_CHANGES, PriorChanges
from otosynth.errors import InputError
from otosynth.methods.base import Batch, UnpairedBatch
from otosynth.normalisation import Normalisation
from otosynth.pairs import Pair
from otosynth.patches import stride_of
from otosynth.priors import prior_channels
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic

SPATIAL_AXES = (2, 3, 4)
Corner = tuple[int, int, int]
Augmentation = Literal["none", "flips", "flips_and_axes"]


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
        return self.read_at(index, self.corner(index))

    def corner(self, index: int) -> Corner:
        """Return the first voxel (z, y, x) of the patch in row ``index``."""
        row = self.table.iloc[index]
        return int(row.z), int(row.y), int(row.x)

    def read_at(self, index: int, corner: Corner, prior_corner: Corner | None = None) -> Batch:
        """Return a patch of the ear and the size of row ``index`` that begins at a voxel.

        Parameters
        ----------
        prior_corner
            Where its prior begins; None: where the patch does.
        """
        row = self.table.iloc[index]
        pair = self.pairs[row.specimen]
        at, prior_at = (
            tuple(slice(first, first + row["size"]) for first in begin)
            for begin in (corner, prior_corner or corner)
        )
        mask = pair.mask[at] > 0
        classes = np.stack([(pair.classmap[at] == k) & mask for k in range(len(CLASSES))])
        prior = prior_channels([volume[prior_at] for volume in pair.prior], self.normalisation)
        return Batch(
            ct=self._tensor(self.normalisation.ct.normalise(pair.ct[at])[None]),
            microct=self._tensor(self.normalisation.microct.normalise(pair.microct[at])[None]),
            mask=self._tensor(mask[None]),
            classes=self._tensor(classes),
            prior=None if prior is None else self._tensor(prior),
        )

    def _tensor(self, channels: np.ndarray) -> torch.Tensor:
        return self.arithmetic.place(torch.from_numpy(np.ascontiguousarray(channels))[None])

    def together(self, patches: Sequence[Batch]) -> Batch:
        """Return patches of one size as one batch."""
        first, *others = patches
        if not others:
            return first
        tensors = [patch.tensors for patch in patches]
        return replace(
            first, **{n: self.arithmetic.together([t[n] for t in tensors]) for n in tensors[0]}
        )

    def moved(self, index: int, corner: Corner, by: Sequence[int]) -> Corner:
        """Return a corner moved by some voxels (z, y, x), as far as row ``index``'s ear reaches."""
        row = self.table.iloc[index]
        last = np.array(self.pairs[row.specimen].ct.shape) - row["size"]
        z, y, x = np.clip(np.add(corner, by), 0, last).tolist()
        return z, y, x


@dataclass(frozen=True)
class TrainingPatches:
    """What a training step sees: a pair's patches, or two ears' patches; augmented or not.

    Attributes
    ----------
    reader
        The training specimens' patches.
    paired
        Whether CT and micro-CT are of the same ear.
    augmentation
        ``none``, ``flips`` (mirrored at random along each axis) or ``flips_and_axes`` (axes also
        change places).
    jitter
        Whether patches are shifted at random, by up to half the distance of neighbours.
    prior_changes
        How their priors are changed at random, where they have any.
    """

    reader: PatchReader
    paired: bool
    augmentation: Augmentation
    jitter: bool = False
    prior_changes: PriorChanges = NO_CHANGES

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
        """Return a batch of one: the patch in row ``index``, and what ``seed`` decides."""
        random = np.random.default_rng(seed)
        batch = self._read(index, random)
        if not self.paired:
            batch = _unpaired(batch, self._read(self.partner(index, random), random))
        if self.augmentation == "flips_and_axes":
            batch = _turned(batch, random)
        return batch if self.augmentation == "none" else _flipped(batch, random)

    def _read(self, index: int, random: np.random.Generator) -> Batch:
        corner = self.reader.corner(index)
        if self.jitter:
            corner = self._shifted(index, corner, self._farthest, random)
        dropout, shift = self.prior_changes
        prior_corner = self._shifted(index, corner, shift, random) if shift else corner
        batch = self.reader.read_at(index, corner, prior_corner)
        if batch.prior is not None and dropout and random.random() < dropout:
            batch = replace(batch, prior=torch.zeros_like(batch.prior))
        return batch

    def _shifted(
        self, index: int, corner: Corner, farthest: int, random: np.random.Generator
    ) -> Corner:
        by = random.integers(-farthest, farthest, 3, endpoint=True)
        return self.reader.moved(index, corner, by.tolist())

    @cached_property
    def _farthest(self) -> int:
        return stride_of(self.reader.table) // 2

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


def _turned(batch: Batch, random: np.random.Generator) -> Batch:
    """Let a batch's axes change places, all of its patches alike."""
    axes = 0, 1, *random.permutation(SPATIAL_AXES).tolist()
    turned = {n: torch.empty_like(t).copy_(t.permute(axes)) for n, t in batch.tensors.items()}
    return replace(batch, **turned)
