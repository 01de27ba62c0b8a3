"""TIFF: one file with a page a slice, and ``spacing.json`` beside it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats.base import Format, Slabs, Stated
from otosynth.volumes.formats.sidecar import is_tiff, read_geometry, sidecar_of
from otosynth.volumes.formats.tiff_file import Pages, pages_of, read_pages
from otosynth.volumes.formats.tiff_sizes import agreed_spacing
from otosynth.volumes.formats.tiff_slices import TiffSlices
from otosynth.volumes.grids import Grid
from otosynth.volumes.slabs import slabs_of


class TiffPages(Format):
    """One multi-page file."""

    name = "tiff-pages"
    description = "a multi-page TIFF with spacing.json"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and is_tiff(path)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        grid, slabs = self.read_slabs(path, stated)
        return grid.image(np.concatenate(list(slabs)))

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, never as a whole."""
        pages = pages_of(path)
        if pages.shape[0] < 2:
            raise InputError(
                f"{path}: has one page of {pages.shape[2]} x {pages.shape[1]} pixels, which is no "
                "3D volume; give a file with a page for each slice, or name the folder of slices."
            )
        grid = _grid(path, pages, stated)

        def slabs() -> Iterator[np.ndarray]:
            for rows in slabs_of(grid.shape):
                yield read_pages(pages, rows)

        return grid, slabs()

    def files(self, path: Path) -> list[Path]:
        """List the file and its sidecar."""
        return sorted([path, sidecar_of(path)])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder of slices, as most programs read it."""
        return TiffSlices().write(image, stem, tags, description)


def _grid(path: Path, pages: Pages, stated: Stated) -> Grid:
    sidecar = sidecar_of(path)
    geometry = read_geometry(sidecar)
    spacing_mm = agreed_spacing(
        path, geometry.spacing_mm, sidecar.name, pages.sizes, stated.believe
    )
    count, height, width = pages.shape
    return Grid((width, height, count), spacing_mm, geometry.origin_mm, geometry.direction)
