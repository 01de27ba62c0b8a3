"""Volumes as the viewer reads them: NIfTI of few bits, class maps, and maps of errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
import SimpleITK as sitk

from otosynth.figures.style import CLASS_COLOURS, CLASS_TITLES
from otosynth.viewing.study import ViewedEar, ViewedStudy
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import Grid, image_like, onto_grid
from otosynth.volumes.itk_io import read_image

# A browser must hold a dozen volumes with their colours; larger ones are shown coarser.
MOST_VOXELS = 32_000_000
# In class maps and maps of errors: outside the common field of view, or no error.
NOTHING = 0
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])

Bits = Literal[8, 16]


def keys_of(ear: ViewedEar) -> Iterator[str]:
    """Yield the names of an ear's volumes, such as ``P1/ct`` and ``P1/multi_task/errors``."""
    yield from (f"{ear.name}/{name}" for name in ("ct", "microct", "classmap"))
    for method, files in ear.predictions.items():
        yield from (f"{ear.name}/{method}/{name}" for name in (*files, "errors"))


def encoded(ear: ViewedEar, key: str, bits: Bits) -> bytes:
    """Return a volume as the bytes of an uncompressed NIfTI file.

    Intensities are cut to the ear's window at 8 bits and whole at 16. Class maps hold the class
    plus 1 inside the common field of view and 0 outside; maps of errors hold the predicted class
    plus 1 where it is wrong.

    Parameters
    ----------
    ear
        Whose volume it is.
    key
        One of ``keys_of``.
    bits
        Of each voxel of a scan.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    _, *method, name = key.split("/")
    if name in ("ct", "microct"):
        path = ear.predictions[method[0]]["microct"] if method else ear.folder / f"{name}.nii"
        return _scan(read_image(path), ear.windows[name], bits)
    truth, mask = (_labels_in(ear.folder / f"{file}.nii") for file in ("classmap", "mask"))
    shown = truth
    if method:
        predicted = _labels_in(ear.predictions[method[0]]["classmap"])
        shown = onto_grid(predicted, truth, interpolate=False)
    inside = array_of(mask) > 0
    if name == "errors":
        inside &= array_of(shown) != array_of(truth)
    return _labels(np.where(inside, array_of(shown) + 1, NOTHING), truth)


def manifest(study: ViewedStudy, keys: set[str]) -> dict[str, Any]:
    """Return what the viewer's script must know of a study.

    Parameters
    ----------
    study
        The study.
    keys
        The volumes that it can load; ears without any are left out.
    """
    ears = [
        {
            "name": ear.name,
            "windows": ear.windows,
            "methods": [m for m in ear.predictions if f"{ear.name}/{m}/classmap" in keys],
            "volumes": [key for key in keys_of(ear) if key in keys],
        }
        for ear in study.ears
        if f"{ear.name}/ct" in keys
    ]
    return {
        "study": study.name,
        "label": study.label,
        "titles": study.titles,
        "ears": ears,
        "classes": [
            {"name": title, "colour": colour}
            for title, colour in zip(CLASS_TITLES, CLASS_COLOURS, strict=True)
        ],
    }


def _step(image: sitk.Image) -> int:
    """Return by how many voxels along each axis an image is made coarser, so that it is shown."""
    step = 1
    while np.prod([size // step for size in image.GetSize()]) > MOST_VOXELS:
        step += 1
    return step


def _labels_in(path: Path) -> sitk.Image:
    # As in all of this module, without the checks of scans from elsewhere: the study wrote it.
    return sitk.Cast(read_image(path), sitk.sitkUInt8)


def _scan(image: sitk.Image, window: tuple[float, float], bits: Bits) -> bytes:
    image = sitk.BinShrink(image, [_step(image)] * 3)
    voxels = array_of(image)
    if bits == 8:
        voxels = np.clip(voxels, *window)
    return _nifti(voxels, image, np.uint8 if bits == 8 else np.int16)


def _labels(labels: np.ndarray, grid: sitk.Image) -> bytes:
    image = image_like(labels.astype(np.uint8), grid)
    step = _step(image)
    image = image[::step, ::step, ::step]
    return _nifti(array_of(image), image, np.uint8)


def _nifti(voxels: np.ndarray, image: sitk.Image, kind: type) -> bytes:
    """Put voxels z, y, x on an image's grid; nibabel scales intensities to the kind's range."""
    grid = Grid.of(image)
    affine = np.eye(4)
    matrix = np.reshape(grid.direction, (3, 3)) * grid.spacing_mm
    affine[:3, :3], affine[:3, 3] = LPS_TO_RAS @ matrix, LPS_TO_RAS @ grid.origin_mm
    nifti = nibabel.nifti1.Nifti1Image(voxels.T, affine)
    nifti.set_data_dtype(kind)
    nifti.header.set_xyzt_units("mm")
    return bytes(nifti.to_bytes())
