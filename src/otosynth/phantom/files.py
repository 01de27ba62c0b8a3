"""A phantom ear as files, to try things on."""

from pathlib import Path

import pandas as pd

from otosynth.files import folder_written_whole, write_csv
from otosynth.phantom.ear import PhantomEar
from otosynth.registration.transforms import write_transform
from otosynth.volumes.formats import Source, write_as
from otosynth.volumes.formats.dicom import DERIVATION
from otosynth.volumes.writing import write_volume

SIMULATED = "Computed from a virtual ear (otosynth); no person was scanned"


def write_ear(ear: PhantomEar, folder: Path, scan_format: str = "nifti") -> list[Path]:
    """Write both scans, the exact classes, the pose and the points of an ear.

    Parameters
    ----------
    folder
        Where to write, all or nothing; it is made, and what was in it goes.
    scan_format
        Of CT and micro-CT; what is known exactly is NIfTI, an ITK transform and a table.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If something cannot be written.
    """
    with folder_written_whole(folder) as within:
        return [folder / path.name for path in _fill(within, ear, scan_format)]


def _fill(folder: Path, ear: PhantomEar, scan_format: str) -> list[Path]:
    tags = {"0010|0010": "Phantom", "0010|0020": ear.specimen, DERIVATION: SIMULATED}
    source = Source(scan_format, tags)
    written = [
        write_as(image, folder / name, source, f"Phantom ear, {name} (otosynth)")
        for name, image in (("ct", ear.ct), ("microct", ear.microct))
    ]
    for name, image in (("labels", ear.labels), ("structures", ear.structures)):
        written.append(folder / f"{name}.nii.gz")
        write_volume(image, written[-1])
    written.append(folder / "pose.tfm")
    write_transform(ear.pose, written[-1])
    points = pd.concat(
        pd.DataFrame(xyz, columns=["x", "y", "z"]).assign(kind=kind)
        for kind, xyz in (("centreline", ear.centreline), ("corner", ear.box_corners))
    )
    written.append(folder / "points.csv")
    write_csv(points, written[-1], "%.6f")
    return written
