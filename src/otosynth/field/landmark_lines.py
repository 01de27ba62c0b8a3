"""Scala tympani and Rosenthal's canal of a real ear, from landmarks.

A 3D Slicer file holds points S1, S2, ... along the middle of scala tympani from the round window to
the apex, and M1 and M2 on the axis of the modiolus, at its base and its apex. A cubic spline goes
through the S points; Rosenthal's canal is that spline moved towards the axis.
"""

import re
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from otosynth.errors import InputError
from otosynth.field.electrodes import CochlearLines, Line, Points
from otosynth.registration.landmarks import read_landmarks

POINTS = 400
LEAST_POINTS = 6


def landmark_lines(path: Path, specimen: str, offset_mm: float) -> CochlearLines:
    """Read an ear's landmarks, in the frame of its micro-CT, and return its lines.

    Parameters
    ----------
    path
        3D Slicer file (``.fcsv`` or ``.mrk.json``).
    offset_mm
        Distance of Rosenthal's canal from the middle of scala tympani, towards the modiolus.

    Raises
    ------
    InputError
        As :func:`scala_tympani`, and for a canal beyond the axis of the modiolus.
    """
    curve, base, direction = scala_tympani(path, specimen)
    outwards = curve - base - ((curve - base) @ direction)[:, None] * direction
    radius_mm = np.linalg.norm(outwards, axis=1)
    if radius_mm.min() <= offset_mm:
        raise InputError(
            f"{specimen}: scala tympani comes within {radius_mm.min():.2f} mm of the modiolar axis "
            f"of {path}; lower electric_field.site_offset_mm ({offset_mm}) or check M1 and M2."
        )
    angles_deg = _angles_deg(outwards, direction)
    canal = curve - offset_mm * outwards / radius_mm[:, None]
    return CochlearLines(Line(curve, angles_deg), Line(canal, angles_deg))


def scala_tympani(path: Path, specimen: str) -> tuple[Points, Points, Points]:
    """Read an ear's landmarks, in the frame of its micro-CT, and return scala tympani.

    Parameters
    ----------
    path
        3D Slicer file (``.fcsv`` or ``.mrk.json``).

    Returns
    -------
    tuple
        Points (400, 3) along the middle of scala tympani, from the round window; the base (3,) of
        the modiolar axis; and the unit vector (3,) along it towards the apex. x, y, z in mm, LPS.

    Raises
    ------
    InputError
        As :func:`otosynth.registration.landmarks.read_landmarks`; for a label that is neither S
        nor M with a number, or a missing point.
    """
    through, base, apex = _ordered(read_landmarks(path, specimen), path, specimen)
    spline = CubicSpline(_chords_mm(through), through)
    curve = spline(np.linspace(0.0, spline.x[-1], POINTS))
    return curve, base, (apex - base) / np.linalg.norm(apex - base)


def _ordered(
    landmarks: dict[str, Points], path: Path, specimen: str
) -> tuple[Points, Points, Points]:
    """Points along scala tympani (n, 3), and base and apex of the modiolar axis."""
    wrong = sorted(label for label in landmarks if not re.fullmatch(r"S[1-9]\d*|M[12]", label))
    if wrong:
        raise InputError(
            f"{specimen}: {path} has the landmark {wrong[0]!r}; name points S1, S2, ... along "
            "scala tympani from the round window, M1 and M2 on the axis of the modiolus."
        )
    numbers = sorted(int(label[1:]) for label in landmarks if label.startswith("S"))
    complete = numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= LEAST_POINTS
    if not complete or not {"M1", "M2"} <= landmarks.keys():
        raise InputError(
            f"{specimen}: {path} needs the landmarks M1 and M2, and S1 to S{LEAST_POINTS} or more "
            f"without a gap; it has {', '.join(sorted(landmarks)) or 'none'}."
        )
    through = np.stack([landmarks[f"S{number}"] for number in numbers])
    if not _chords_mm(through)[1:].all() or (np.diff(_chords_mm(through)) <= 0).any():
        raise InputError(f"{specimen}: {path} has two neighbouring S landmarks at one place.")
    if np.allclose(landmarks["M1"], landmarks["M2"]):
        raise InputError(f"{specimen}: M1 and M2 of {path} lie at one place.")
    return through, landmarks["M1"], landmarks["M2"]


def _chords_mm(points: Points) -> Points:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _angles_deg(outwards: Points, axis: Points) -> Points:
    """Angles (n,) round an axis from the first of vectors (n, 3), growing along them."""
    first = outwards[0] / np.linalg.norm(outwards[0])
    across = np.cross(axis, first)
    turned = np.rad2deg(np.unwrap(np.arctan2(outwards @ across, outwards @ first)))
    # A left ear turns the other way.
    return turned if turned[-1] >= 0 else -turned
