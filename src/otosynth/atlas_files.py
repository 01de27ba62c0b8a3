"""Reading of ears as atlases: volumes of a pair, mirrored where they are of the other side."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.fusion import NO_VOTE
from otosynth.registration.transforms import read_transform
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import image_like, mirror
from otosynth.volumes.measured import find_padding
from otosynth.volumes.reading import read_volume
from otosynth.volumes.volume import Volume

LABELS = ("mask", "classmap", "cochlea")


def read_atlas(folder: Path, names: Iterable[str], mirrored: bool) -> dict[str, sitk.Image]:
    """Read some volumes of a pair.

    Where the micro-CT was not measured, the class map has no vote (255) and the micro-CT is NaN.

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
    unknown = {"classmap": NO_VOTE, "microct": np.nan}
    if not unknown.keys().isdisjoint(images):
        nowhere = _padding_of_microct(folder)
        if nowhere is not None:
            images |= {
                name: image_like(np.where(nowhere, value, array_of(images[name])), images[name])
                for name, value in unknown.items()
                if name in images
            }
    return {name: mirror(image) for name, image in images.items()} if mirrored else images


def read_registered(
    pairs: Iterable[str],
    transforms: Iterable[str],
    names: Iterable[str],
    mirrored: Mapping[str, bool],
) -> Iterator[tuple[dict[str, sitk.Image], sitk.Transform]]:
    """Read atlases that are registered to one ear, one after another, in the order of their names.

    Parameters
    ----------
    pairs
        Files of their pairs, ``specimens/<atlas>/<name>.nii``.
    transforms
        ``<atlas>.tfm`` of each: from a target point to an atlas point, in mm LPS.
    names, mirrored
        As of :func:`read_atlas`; ``mirrored`` by atlas.

    Raises
    ------
    InputError
        If a file is missing, no volume or no transform.
    """
    folders = {folder.name: folder for folder in {Path(path).parent for path in pairs}}
    for path in sorted(map(Path, transforms), key=lambda path: path.stem):
        yield read_atlas(folders[path.stem], names, mirrored[path.stem]), read_transform(path)


def _padding_of_microct(folder: Path) -> np.ndarray | None:
    """Return where a pair's micro-CT was not measured (boolean; z, y, x); None: nowhere."""
    microct = Volume.mapped(folder / "microct.nii")
    padding = find_padding(microct, hounsfield=False)
    return None if padding is None else padding.of(microct.voxels, slice(0, len(microct.voxels)))
