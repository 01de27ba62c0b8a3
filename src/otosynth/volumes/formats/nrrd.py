"""NRRD: ITK reads it, after checks of what it would silently repair."""

import math
from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk

from otosynth.files import written_whole
from otosynth.volumes.formats.base import Format, Stated
from otosynth.volumes.formats.rules import check_spacing
from otosynth.volumes.formats.text_header import data_files, numbers, refuse_missing, text_header
from otosynth.volumes.itk_io import read_image

ENDINGS = (".nrrd", ".nhdr")
# Of the file that holds the voxels.
DATA_FILE_KEYS = ("data file", "datafile")


class Nrrd(Format):
    """NRRD: one file, or a header beside its voxels."""

    name = "nrrd"
    description = "NRRD (.nrrd, .nhdr)"

    def matches(self, path: Path) -> bool:
        """Tell by the ending."""
        return path.is_file() and path.name.lower().endswith(ENDINGS)

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        check_spacing(path, _spacing_mm(text_header(path, ":")))
        refuse_missing(path, _data_files(path))
        return read_image(path)

    def files(self, path: Path) -> list[Path]:
        """List the header and, beside it, the file with the voxels."""
        return sorted([path, *_data_files(path)])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write one compressed file."""
        path = stem.with_name(f"{stem.name}.nrrd")
        with written_whole(path) as beside:
            sitk.WriteImage(image, str(beside), useCompression=True)
        return path


def _data_files(path: Path) -> list[Path]:
    return data_files(path, text_header(path, ":"), DATA_FILE_KEYS)


def _spacing_mm(header: dict[str, str]) -> list[float]:
    """Voxel size in mm that an NRRD header states, by axis; the sign is kept."""
    if "space directions" in header:
        vectors = header["space directions"].replace("(", " ").replace(")", " ").split()
        # A fourth axis counts the values per voxel and has no direction.
        axes = [v.split(",") for v in vectors if v != "none" or len(vectors) == 3]
        return [math.hypot(*numbers(axis)) for axis in axes]
    return numbers(header.get("spacings", "").split())
