"""Reading of ears as atlases: volumes of a pair, mirrored where they are of the other side."""

from collections.abc import Iterable
from pathlib import Path

import SimpleITK as sitk

from otosynth.volumes.arrays import read_labels
from otosynth.volumes.grids import mirror
from otosynth.volumes.reading import read_volume

LABELS = ("mask", "classmap", "cochlea")


def read_atlas(folder: Path, names: Iterable[str], mirrored: bool) -> dict[str, sitk.Image]:
    """Read some volumes of a pair.

    Parameters
    ----------
    folder
        ``specimens/<specimen>``.
    names
        Of ct, microct, mask, classmap and cochlea.
    mirrored
        Whether the ear is of another side than the one that it is registered to.

    Raises
    ------
    InputError
        If a file is missing or no volume.
    """
    images = {
        name: (read_labels if name in LABELS else read_volume)(folder / f"{name}.nii")
        for name in names
    }
    return {name: mirror(image) for name, image in images.items()} if mirrored else images
