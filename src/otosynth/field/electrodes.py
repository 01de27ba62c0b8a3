"""The electrode array in scala tympani and the neural sites along Rosenthal's canal."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from otosynth.configuration.field import FieldSettings
from otosynth.errors import InputError
from otosynth.tissues import AIR, SOFT

CONTACT, SITE = "contact", "site"
"""Kinds of points in a table of electrodes."""

OUTSIDE, IN_AIR, IN_BONE = "outside the volume", "in air", "in bone"
FLOATING = "on a floating conductor: air parts its tissue from all that leads to the return"
"""Where contacts lie that cannot be there."""

COLUMNS = ["kind", "number", "along_mm", "angle_deg", "x", "y", "z"]

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A curve through the cochlea from base to apex.

    Attributes
    ----------
    points
        (n, 3), x, y, z in mm, LPS.
    angles_deg
        (n,), angle round the modiolus from the round window.
    """

    points: Points
    angles_deg: npt.NDArray[np.float64]

    @property
    def along_mm(self) -> npt.NDArray[np.float64]:
        """Distance of every point (n,) from the first, along the curve."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def at(self, along_mm: npt.NDArray) -> tuple[Points, npt.NDArray[np.float64]]:
        """Return points (m, 3) and their angles (m,) at distances along the curve."""
        own = self.along_mm
        points = [np.interp(along_mm, own, self.points[:, k]) for k in range(3)]
        return np.stack(points, axis=1), np.interp(along_mm, own, self.angles_deg)


@dataclass(frozen=True)
class CochlearLines:
    """The middle of scala tympani, and Rosenthal's canal."""

    scala_tympani: Line
    ganglion: Line


def place_electrodes(lines: CochlearLines, settings: FieldSettings, specimen: str) -> pd.DataFrame:
    """Place contacts and neural sites along the lines of an ear.

    Returns
    -------
    DataFrame
        One row a point: kind (``contact`` or ``site``), number from the base (1, 2, ...), along_mm
        (distance along its line), angle_deg, x, y, z (mm, LPS).

    Raises
    ------
    InputError
        If the array is longer than scala tympani.
    """
    depths = settings.first_contact_mm + settings.contact_pitch_mm * np.arange(settings.contacts)
    length_mm = lines.scala_tympani.along_mm[-1]
    if depths[-1] > length_mm:
        raise InputError(
            f"{specimen}: the array's last contact lies {depths[-1]:.1f} mm deep, but scala "
            f"tympani is {length_mm:.1f} mm long. Lower electric_field.contacts, "
            "contact_pitch_mm or first_contact_mm."
        )
    canal_mm = np.arange(0.0, lines.ganglion.along_mm[-1], settings.site_pitch_mm)
    return pd.concat(
        [
            _table(CONTACT, lines.scala_tympani, depths),
            _table(SITE, lines.ganglion, canal_mm),
        ],
        ignore_index=True,
    )


def _table(kind: str, line: Line, along_mm: npt.NDArray) -> pd.DataFrame:
    points, angles_deg = line.at(along_mm)
    columns = {
        "number": np.arange(1, len(along_mm) + 1),
        "along_mm": along_mm,
        "angle_deg": angles_deg,
    }
    table = pd.DataFrame(columns | dict(zip("xyz", points.T, strict=True)))
    return table.assign(kind=kind)[COLUMNS]


def points_of(electrodes: pd.DataFrame, kind: str) -> Points:
    """Return the points (n, 3; x, y, z in mm, LPS) of a kind, from base to apex."""
    return electrodes[electrodes["kind"] == kind][["x", "y", "z"]].to_numpy(float)


def misplaced_contacts(
    classmap: npt.NDArray[np.uint8], indices: npt.NDArray[np.float64]
) -> dict[int, str]:
    """Return the contacts that do not lie in soft tissue, and where they lie.

    Parameters
    ----------
    classmap
        The map (z, y, x), as fine as it is.
    indices
        Contacts (n, 3) in voxels z, y, x; voxel 0 reaches from 0 to 1.

    Returns
    -------
    dict
        Number of the contact (from 1) to ``outside the volume``, ``in air`` or ``in bone``.
    """
    found = {}
    for number, index in enumerate(np.floor(indices).astype(int), start=1):
        if not ((index >= 0) & (index < classmap.shape)).all():
            found[number] = OUTSIDE
        elif classmap[tuple(index)] != SOFT:
            found[number] = IN_AIR if classmap[tuple(index)] == AIR else IN_BONE
    return found


def refuse_misplaced(misplaced: dict[int, str], specimen: str) -> None:
    """Refuse an array with contacts where none can be, all in one message.

    Raises
    ------
    InputError
        Lists the contacts.
    """
    if misplaced:
        listed = "\n".join(f"  contact {number}: {where}" for number, where in misplaced.items())
        raise InputError(
            f"{specimen}: {len(misplaced)} contacts of the electrode array do not lie in the fluid "
            f"of the cochlea by the micro-CT's class map:\n{listed}\n"
            "Check the landmarks or the keys electric_field.first_contact_mm and "
            "contact_pitch_mm, or leave such contacts out: electric_field.misplaced_contacts: "
            "leave_out."
        )
