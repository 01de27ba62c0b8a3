"""Scala tympani and Rosenthal's canal of a phantom ear, from the anatomy that it is made of.

The duct's cross section is an ellipse round its axis, half a lumen wide and 0.8 of that high,
parted by the spiral lamina (``otosynth.phantom.cochlea``). The array is as far from the modiolus as
the axis, midway between lamina and floor. Rosenthal's canal is the spiral ganglion's: at the height
of the axis, 0.28 mm inwards of the duct's inner wall, and it ends 200 degrees before the duct.
"""

import numpy as np
import numpy.typing as npt

from otosynth.configuration.phantom import PhantomSettings
from otosynth.field.electrodes import CochlearLines, Line
from otosynth.phantom.anatomy import Anatomy
from otosynth.phantom.cochlea import ROUND_WINDOW_DEG, Cochlea, outer_wall_radius_mm
from otosynth.phantom.variation import draw_variation

# As `Cochlea.locate` and `Cochlea.lamina` build them; a test asks the anatomy what lies there.
GANGLION_INWARDS_MM = 0.28
GANGLION_ENDS_BEFORE_DEG = 200.0
LAMINA_MM = 0.13
LUMEN_OVAL = 0.8
POINTS = 400


def phantom_lines(specimen: str, side: str, settings: PhantomSettings, seed: int) -> CochlearLines:
    """Return both lines of a phantom ear in the frame of its micro-CT.

    Parameters
    ----------
    specimen, side, settings, seed
        As :func:`otosynth.phantom.make_ear` takes them.
    """
    anatomy = Anatomy(draw_variation(specimen, seed, settings), side)
    tympani, ganglion = _lines_of(anatomy.cochlea)
    return CochlearLines(
        Line(anatomy.from_ear(tympani.points), tympani.angles_deg),
        Line(anatomy.from_ear(ganglion.points), ganglion.angles_deg),
    )


def _lines_of(cochlea: Cochlea) -> tuple[Line, Line]:
    """Both lines in the frame of the right ear."""
    angles_deg = np.linspace(ROUND_WINDOW_DEG, cochlea.end_deg, POINTS)
    axis = cochlea.centreline(POINTS)
    outwards, apexwards = _directions(cochlea, angles_deg)
    radius_mm = (axis * outwards).sum(axis=1)
    half_width_mm = cochlea.locate(axis.T.astype(np.float32)).half_width.astype(float)
    below_mm = (LAMINA_MM + LUMEN_OVAL * half_width_mm) / 2
    tympani = axis - below_mm[:, None] * apexwards
    # The cross section is perpendicular to the spiral, the radius is not.
    slant = (outer_wall_radius_mm(angles_deg) - radius_mm) / half_width_mm
    ganglion = axis - ((half_width_mm + GANGLION_INWARDS_MM) * slant)[:, None] * outwards
    exists = angles_deg < cochlea.end_deg - GANGLION_ENDS_BEFORE_DEG
    return Line(tympani, angles_deg), Line(ganglion[exists], angles_deg[exists])


def _directions(
    cochlea: Cochlea, angles_deg: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return unit vectors away from the modiolus (n, 3) and towards the apex (3,)."""
    x, y, z = cochlea.axes
    angle = np.deg2rad(angles_deg)[:, None]
    return np.cos(angle) * x + np.sin(angle) * y, z
