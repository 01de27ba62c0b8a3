"""Where a class map's errors matter: the derivative of a potential by each voxel's conductivity."""

import numpy as np

from otosynth.field.finite_volumes import Volume, face_conductances, neighbouring_pairs
from otosynth.field.solver import FieldSolver


def sensitivity(solver: FieldSolver, by_contact: Volume, by_site: Volume) -> Volume:
    """Return the derivative of a site's transfer resistance by log conductivity (ohm, z, y, x).

    Of all cells to first order, exactly for the discrete equations: with G the conductance of a
    face and R the resistance that a cell adds to it, dG/d(log sigma) = G**2 R, and the potential at
    the site changes by minus that times the potential differences over the face of both fields
    (reciprocity). Faces of the outer boundary are left out.

    Parameters
    ----------
    by_contact, by_site
        Potentials (V) of 1 A at the contact, and of 1 A at the site; NaN counts as no field.
    """
    result = np.zeros(solver.grid.shape)
    first, second = np.nan_to_num(by_contact), np.nan_to_num(by_site)
    faces = face_conductances(solver.conductivity, solver.grid)
    for (axis, low, high), conductance in zip(neighbouring_pairs(), faces, strict=True):
        drop = (first[low] - first[high]) * (second[low] - second[high])
        kept = solver.cells[low] & solver.cells[high]
        change = np.where(kept, -conductance * drop, 0.0)
        # A cell's share of the face's resistance: its width over its conductivity.
        shape = tuple(-1 if k == axis else 1 for k in range(3))
        width = solver.grid.widths_mm[axis].reshape(shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            resistivity = width / solver.conductivity
            share = resistivity[low] / (resistivity[low] + resistivity[high])
        share = np.nan_to_num(share)
        result[low] += change * share
        result[high] += change * (1 - share)
    return result
