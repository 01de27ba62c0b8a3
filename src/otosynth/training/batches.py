"""Patches from disk to the network: cut, scaled to [-1, 1], classes one-hot inside the mask."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from otosynth.methods.base import Batch
from otosynth.normalisation import Normalisation
from otosynth.pairs import Pair
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic


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
        return Batch(
            ct=self._tensor(self.normalisation.ct.normalise(pair.ct[at])[None]),
            microct=self._tensor(self.normalisation.microct.normalise(pair.microct[at])[None]),
            mask=self._tensor(mask[None]),
            classes=self._tensor(classes),
        )

    def _tensor(self, channels: np.ndarray) -> torch.Tensor:
        patch = torch.from_numpy(np.ascontiguousarray(channels, np.float32))[None]
        return self.arithmetic.place(patch)
