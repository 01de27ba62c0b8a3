"""What a scan's file says of it, in words, and what of it is odd."""

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.volumes.formats import Stated, format_of
from otosynth.volumes.formats.rules import is_left_handed, letters_of
from otosynth.volumes.measured import count, find_padding, in_words
from otosynth.volumes.reading import declared_padding, read_scan_header
from otosynth.volumes.volume import Volume

TITLES = (
    "scan", "format", "size", "voxels (mm)", "field of view (mm)", "axes to", "handedness",
    "units", "padding", "range (percentiles 1 and 99)",
)  # fmt: skip
# Edges of a field of view, from the cochlea alone to a whole body (mm).
FIELD_MM = (2.0, 700.0)
# A million voxels tell as much as all.
VOXELS_LOOKED_AT = 1_000_000


@dataclass(frozen=True)
class ScanFacts:
    """One line of the table of scans; the fields are the ``TITLES`` in their order."""

    scan: str
    format: str
    size: str
    spacing: str
    field: str
    axes: str
    handedness: str
    units: str
    padding: str
    range: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of the line."""
        return astuple(self)

    @property
    def sentence(self) -> str:
        """The facts in one line of text."""
        return (
            f"{self.scan}: {self.size} voxels of {self.spacing} mm, {self.field} mm in all, "
            f"{self.range} (percentiles 1 and 99); {self.format}, axes to {self.axes} "
            f"({self.handedness}), {self.units}, padding: {self.padding}"
        )


def facts_of_scan(
    name: str, path: Path, stated: Stated, image: sitk.Image
) -> tuple[ScanFacts, list[str]]:
    """Return the facts of a scan, and what a person should look at.

    Parameters
    ----------
    name
        ``ct``, whose intensities are in HU or ``microct``.
    stated
        What the lab states of it.
    image
        The scan as it was read.

    Raises
    ------
    InputError
        If nothing of it was measured.
    """
    header = read_scan_header(path, stated)
    low, high = np.percentile(some_voxels(image), (1, 99))
    grid = header.grid
    field = [n * mm for n, mm in zip(grid.size, grid.spacing_mm, strict=True)]
    facts = ScanFacts(
        name,
        format_of(path).name,
        " × ".join(map(str, grid.size)),
        " × ".join(f"{mm:.4g}" for mm in grid.spacing_mm),
        " × ".join(f"{mm:.3g}" for mm in field),
        letters_of(grid.direction),
        "left-handed in the file" if is_left_handed(grid) else "right-handed",
        header.units,
        _padding(path, image, hounsfield=name == "ct"),
        f"{low:.4g} to {high:.4g}{' HU' if name == 'ct' else ''}",
    )
    odd = [f"{name}: {remark}" for remark in header.remarks]
    if min(field) < FIELD_MM[0] or max(field) > FIELD_MM[1]:
        odd.append(
            f"{name}: its field of view is {facts.field} mm, outside {FIELD_MM[0]:g} to "
            f"{FIELD_MM[1]:g} mm; the unit of its voxel size may be wrong."
        )
    return facts, odd


def _padding(path: Path, image: sitk.Image, *, hounsfield: bool) -> str:
    """Return the values of what was not measured, and how much of a scan it is."""
    volume = Volume.of(image)
    declared = declared_padding(path)
    padding = find_padding(volume, hounsfield=hounsfield, declared=declared, name=path)
    if padding is None:
        return "none"
    share = count(volume, padding) / volume.voxels.size
    return f"{in_words(padding)} ({share:.1%} of the voxels), left out"


def some_voxels(image: sitk.Image) -> np.ndarray:
    """Return about a million voxels, which tell as much as all."""
    voxels = sitk.GetArrayViewFromImage(image).ravel()
    return voxels[:: max(1, voxels.size // VOXELS_LOOKED_AT)]
