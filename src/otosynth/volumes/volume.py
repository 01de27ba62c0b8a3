"""A volume that is gone through slab by slab, so that it need not fit into memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import read_grid
from otosynth.volumes.mapping import let_go, map_voxels
from otosynth.volumes.slabs import slabs_of


@dataclass(frozen=True)
class Volume:
    """Voxels (z, y, x), in memory or mapped from a file, and the grid they lie on."""

    voxels: np.ndarray
    grid: Grid
    # An image's voxels are gone when the image is.
    image: sitk.Image | None = None

    @classmethod
    def of(cls, image: sitk.Image) -> "Volume":
        """Return an image's voxels, without a copy."""
        return cls(sitk.GetArrayViewFromImage(image), Grid.of(image), image)

    @classmethod
    def mapped(cls, path: Path) -> "Volume":
        """Map an uncompressed NIfTI file; nothing is read until it is used.

        Raises
        ------
        InputError
            As ``map_voxels``.
        """
        voxels = map_voxels(path)
        return cls(voxels, read_grid(path))

    def slabs(self, multiple: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
        """Go through the voxels: rows along z, and the slab (rows, y, x).

        Parameters
        ----------
        multiple
            Slabs have a multiple of so many rows, and what is left at the end is left out.
        """
        for rows in slabs_of(self.grid.shape, multiple=multiple):
            slab = self.voxels[rows]
            yield rows, slab
            let_go(slab)
