"""TIFF: one file with a page a slice, and ``spacing.json`` beside it."""

from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk

from otosynth.volumes.formats.base import Format
from otosynth.volumes.formats.sidecar import TIFF_IO, Geometry, is_tiff, read_geometry, sidecar_of
from otosynth.volumes.formats.tiff_slices import TiffSlices
from otosynth.volumes.itk_io import read_image
from otosynth.volumes.stated import Stated


class TiffPages(Format):
    """One multi-page file."""

    name = "tiff-pages"
    description = "a multi-page TIFF with spacing.json"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and is_tiff(path)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        geometry = read_geometry(sidecar_of(path))
        return _with_geometry(read_image(path, TIFF_IO), geometry)

    def files(self, path: Path) -> list[Path]:
        """List the file and its sidecar."""
        return sorted([path, sidecar_of(path)])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder of slices, as most programs read it."""
        return TiffSlices().write(image, stem, tags, description)


def _with_geometry(image: sitk.Image, geometry: Geometry) -> sitk.Image:
    image.SetSpacing(geometry.spacing_mm)
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.direction)
    return image
