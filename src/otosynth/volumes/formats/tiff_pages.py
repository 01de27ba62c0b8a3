"""TIFF: one file with a page a slice, and ``spacing.json`` beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes.formats.base import FormatBySlabs, Header, Slabs
from otosynth.volumes.formats.sidecar import is_tiff, sidecar_of
from otosynth.volumes.formats.tiff_file import Pages, pages_of, read_pages
from otosynth.volumes.formats.tiff_sizes import stack_header
from otosynth.volumes.formats.tiff_slices import TiffSlices
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Stated


class TiffPages(FormatBySlabs):
    """One multi-page file."""

    name = "tiff-pages"
    description = "a multi-page TIFF with spacing.json"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and is_tiff(path)

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the sidecar and the pages' headers say; see `Format.header`."""
        return _read_headers(path, stated)[0]

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Read a scan slab by slab, never as a whole."""
        header, pages = _read_headers(path, stated)

        def slabs() -> Iterator[np.ndarray]:
            for rows in slabs_of(header.grid.shape):
                yield read_pages(pages, rows)

        return header.grid, slabs()

    def files(self, path: Path) -> list[Path]:
        """List the file and its sidecar, without which ImageJ's or OME's sizes are read."""
        sidecar = sidecar_of(path)
        return sorted([path, sidecar]) if sidecar.exists() else [path]

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder of slices, as most programs read it."""
        return TiffSlices().write(image, stem, tags, description)


def _read_headers(path: Path, stated: Stated) -> tuple[Header, Pages]:
    """Return what a file says of its place, and its pages.

    Raises
    ------
    InputError
        If a page cannot be read or differs from the others, or the place cannot be told.
    """
    pages = pages_of(path)
    count, height, width = pages.shape
    if count < 2:
        raise InputError(
            f"{path}: has one page of {width} x {height} pixels, which is no 3D volume; give a "
            "file with a page for each slice, or name the folder of the slices."
        )
    header = stack_header(path, sidecar_of(path), (width, height, count), pages.sizes, stated)
    return replace(header, remarks=(*header.remarks, *pages.remarks)), pages
