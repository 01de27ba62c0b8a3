"""The region at the cochlea: what lies within 0.5 mm of the scalae (docs/method.md, section 8).

A region is an array z, y, x of 8-bit voxels, 1 inside. It is known from the phantom's exact
structures, from landmarks along scala tympani, or from registered atlases that have landmarks;
where nothing tells it, it is empty.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import KDTree

from otosynth.distances import ROUNDING, Spacing, within_distance
from otosynth.phantom.structures import STRUCTURES
from otosynth.volumes.grids import Grid

Source = Literal["phantom", "landmarks", "atlases", "none"]
SOURCES: Mapping[Source, str] = {
    "phantom": "by the phantom's exact structures",
    "landmarks": "by landmarks along scala tympani",
    "atlases": "by registered atlases that have landmarks",
    "none": "not known",
}
"""Where a region is from, in words."""

MARGIN_MM = 0.5
SCALAE = (STRUCTURES["scala_tympani"], STRUCTURES["scala_vestibuli"])
# A human duct is about 2 mm wide at its base and 1 mm at its apex, and both scalae lie in it. Of
# tubes round landmarks in the middle of scala tympani, moved towards the apex, that of this radius
# and shift has the highest Dice with the exact region of the phantom (docs/method.md, section 8).
DUCT_RADIUS_MM, DUCT_ABOVE_TYMPANI_MM = 0.8, 0.4
NO_VOTE = 255


def near_scalae(structures: np.ndarray, spacing_mm: Spacing) -> npt.NDArray[np.uint8]:
    """Return the region of a phantom ear.

    Parameters
    ----------
    structures
        Numbers of :mod:`otosynth.phantom.structures`.
    spacing_mm
        Voxel size z, y, x in mm.
    """
    scalae = np.isin(structures, SCALAE)
    region = np.zeros(scalae.shape, np.uint8)
    for box in ndimage.find_objects(scalae.view(np.uint8)):
        reach = [int(MARGIN_MM / step) + 1 for step in spacing_mm]
        wider = tuple(
            slice(max(part.start - voxels, 0), part.stop + voxels)
            for part, voxels in zip(box, reach, strict=True)
        )
        region[wider] = within_distance(scalae[wider], MARGIN_MM, spacing_mm)
    return region


def near_tympani(
    curve_mm: npt.NDArray[np.float64], towards_apex: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.uint8]:
    """Return the region round landmarks: within 0.5 mm of a tube that stands for the duct.

    Parameters
    ----------
    curve_mm
        Points (n, 3) along the middle of scala tympani, dense; x, y, z in mm, LPS.
    towards_apex
        Unit vector (3,) along the modiolar axis.
    grid
        Where the region lies.
    """
    middle = grid.index_of(curve_mm + DUCT_ABOVE_TYMPANI_MM * towards_apex)[:, ::-1]
    spacing_mm = np.array(grid.spacing_zyx)
    reach_mm = DUCT_RADIUS_MM + MARGIN_MM
    reach = reach_mm / spacing_mm
    first = np.maximum(np.floor(middle.min(axis=0) - reach), 0).astype(int)
    last = np.minimum(np.ceil(middle.max(axis=0) + reach) + 1, grid.shape).astype(int)
    region = np.zeros(grid.shape, np.uint8)
    if (first >= last).any():
        return region
    tree = KDTree(middle * spacing_mm)
    y, x = (
        np.arange(a, b) * mm for a, b, mm in zip(first[1:], last[1:], spacing_mm[1:], strict=True)
    )
    for z in range(first[0], last[0]):
        centres = np.stack(np.meshgrid(z * spacing_mm[0], y, x, indexing="ij"), axis=-1)[0]
        # Beyond the bound a distance is infinite.
        distance, _ = tree.query(centres, distance_upper_bound=reach_mm * (1 + ROUNDING))
        region[z, first[1] : last[1], first[2] : last[2]] = np.isfinite(distance)
    return region


def agreed(regions: Sequence[np.ndarray]) -> npt.NDArray[np.uint8]:
    """Return where at least half of the carried regions that reach a voxel have it.

    Parameters
    ----------
    regions
        One an atlas, of one shape: 1 inside, 0 outside, 255 where the atlas does not reach.
    """
    inside, known = (np.zeros(regions[0].shape, np.uint16) for _ in range(2))
    for region in regions:
        inside += region == 1
        known += region != NO_VOTE
    return ((inside > 0) & (2 * inside >= known)).astype(np.uint8)


def read_sources(ears: Sequence[str], files: Sequence[str]) -> dict[str, Source]:
    """Read from where the regions of some ears are known, from ``cochlea.json`` of each."""
    facts = [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]
    return {ear: fact["source"] for ear, fact in zip(ears, facts, strict=True)}


def told(sources: Mapping[str, Source]) -> str:
    """Say in one sentence from where the regions of some ears are known, and where they are not.

    Parameters
    ----------
    sources
        Of each ear.
    """
    parts = []
    for source, words in SOURCES.items():
        ears = [ear for ear, its in sources.items() if its == source]
        if len(ears) == len(sources):
            parts.append(words + (" for any ear" if source == "none" else ""))
        elif ears:
            parts.append(f"{words} for {', '.join(ears)}")
    return f"Region at the cochlea, within {MARGIN_MM:g} mm of the scalae: {'; '.join(parts)}."
