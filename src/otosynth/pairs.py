"""A registered pair on one grid, as memory maps: CT, micro-CT, mask, class map, cochlea."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from otosynth.volumes.mapping import map_voxels

VOLUMES = ("ct", "microct", "mask", "classmap", "cochlea")


@dataclass(frozen=True)
class Pair:
    """Voxels of one specimen (z, y, x), mapped from disk and seen from the working side.

    ``ct`` in HU, ``microct`` in the scanner's own unit, ``mask`` 1 where both fields of view
    cover, ``classmap`` with air 0, soft tissue 1, bone 2, ``cochlea`` 1 in the region at the
    cochlea as far as the ear's own structures or landmarks tell it (see :mod:`otosynth.cochlea`).
    ``prior`` is what the group's training ears say of this one (see :mod:`otosynth.priors`), for
    a method that has a prior.
    """

    ct: np.ndarray
    microct: np.ndarray
    mask: np.ndarray
    classmap: np.ndarray
    cochlea: np.ndarray
    prior: tuple[np.ndarray, ...] = ()


def open_pair(folder: Path, mirrored: bool, prior: Iterable[Path] = ()) -> Pair:
    """Map the volumes of the pair in ``folder`` (``ct.nii`` and so on) and its prior.

    Parameters
    ----------
    folder
        ``specimens/<specimen>`` or ``specimens/<specimen>/x<factor>``.
    mirrored
        Whether the ear is of the other side: its x index then runs backwards, which turns a
        left ear into a right one without copying a voxel.

    Raises
    ------
    InputError
        If a file is missing, compressed or not a volume.
    """
    ct, microct, mask, classmap, cochlea, *of_others = (
        from_side(map_voxels(path), mirrored)
        for path in (*(folder / f"{name}.nii" for name in VOLUMES), *prior)
    )
    return Pair(ct, microct, mask, classmap, cochlea, tuple(of_others))


def open_pairs(
    files: Iterable[str], mirrored: Mapping[str, bool], priors: Iterable[str] = ()
) -> dict[str, Pair]:
    """Map the pairs that some volume files belong to, by specimen.

    Parameters
    ----------
    files
        Paths ``.../<specimen>/<volume>.nii`` or ``.../<specimen>/x<factor>/<volume>.nii``.
    mirrored
        Which specimens are of the other side; tells the specimens' names.
    priors
        Paths ``.../<specimen>/<file>.nii`` of their priors, each ear's in the order of channels.

    Raises
    ------
    InputError
        As ``open_pair``.
    """
    folders = pair_folders(files, mirrored)
    paths = [Path(file) for file in priors]
    return {
        name: open_pair(folders[name], is_mirrored, [p for p in paths if p.parent.name == name])
        for name, is_mirrored in mirrored.items()
    }


def pair_folders(files: Iterable[str], specimens: Collection[str]) -> dict[str, Path]:
    """Return the folder of each specimen's pair from the paths of its volumes."""
    folders = {Path(file).parent for file in files}
    return {f.name if f.name in specimens else f.parent.name: f for f in sorted(folders)}


def from_side(array: np.ndarray, mirrored: bool) -> np.ndarray:
    """Flip the x index of an ear of the other side; its own inverse."""
    return array[..., ::-1] if mirrored else array
