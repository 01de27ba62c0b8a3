"""Reading volumes of every known format, geometry from the file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.volumes import dicom, single_file, tiff
from otosynth.volumes.grids import Grid
from otosynth.volumes.volume import Volume

KNOWN_FORMATS = (
    "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), "
    "a multi-page TIFF or a folder of TIFF slices with spacing.json, or a folder with one "
    "DICOM series"
)


def read_volume(path: Path) -> sitk.Image:
    """Read a scan as a 3D float32 image with the spacing, origin and direction of its file.

    Known are NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), TIFF
    (a folder of slices or one multi-page file, with ``spacing.json``; see
    :mod:`otosynth.volumes.tiff`), and a folder with one DICOM series. Points are in mm, LPS.

    Raises
    ------
    InputError
        If the path is missing, of an unknown format, unreadable or truncated, no 3D scalar
        volume, or has a zero, negative or non-uniform spacing.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; check the specimen table.")
    if path.is_dir():
        return tiff.read_folder(path) if tiff.slices_in(path) else dicom.read_folder(path)
    if tiff.is_tiff(path):
        return tiff.read_multipage(path)
    if single_file.is_known(path):
        return single_file.read(path)
    raise InputError(f"{path}: unknown format. Known are {KNOWN_FORMATS}.")


def read_slabs(path: Path) -> tuple[Grid, Iterator[np.ndarray]]:
    """Read a scan slab by slab: its grid, and float32 arrays (rows, y, x) along z.

    A NIfTI file without scaled intensities and a folder of TIFF slices are never held as a whole;
    other formats are.

    Raises
    ------
    InputError
        As ``read_volume``; of a slab that cannot be read, when it is its turn.
    """
    if path.is_dir() and tiff.slices_in(path):
        return tiff.slabs_of_folder(path)
    if path.is_file() and single_file.is_mappable(path):
        return single_file.slabs_of_nifti(path)
    image = read_volume(path)
    return Grid.of(image), _slabs_of_image(image)


def _slabs_of_image(image: sitk.Image) -> Iterator[np.ndarray]:
    for _, slab in Volume.of(image).slabs():
        yield slab.copy()


def declared_padding(path: Path) -> float | None:
    """Return the value that a scan's file declares as not measured, in the unit of its voxels.

    None where it declares none, which most formats cannot.
    """
    return None


def input_files(path: Path) -> list[Path]:
    """List the files that make up a volume, sorted: one file, a header with its data, or slices.

    For checksums and for Snakemake's ``input``. A path that does not exist is returned as it
    is, so that Snakemake can name it as missing.
    """
    if not path.exists():
        return [path]
    if path.is_dir():
        return tiff.files_of_folder(path) if tiff.slices_in(path) else dicom.slices_in(path)
    if tiff.is_tiff(path):
        return sorted([path, tiff.sidecar_of(path)])
    return sorted([path, *single_file.data_files(path)])
