"""One plane of the field of one contact, for a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from otosynth.field.finite_volumes import Volume
from otosynth.field.model import EarModel
from otosynth.field.sensitivity import sensitivity
from otosynth.figures.field import FieldSlice
from otosynth.figures.slices import Plane, telling_axis

# Contacts as near to the plane as this are shown on it.
NEAR_PLANE_MM = 0.6


@dataclass(frozen=True)
class FieldView:
    """The plane through the array's middle contact, and the true field of that contact.

    Attributes
    ----------
    model
        Of the micro-CT's class map.
    contact
        Index from 0.
    plane
        Of the field's voxels.
    potential
        V for 1 A, z, y, x on the solver's grid.
    """

    model: EarModel
    contact: int
    plane: Plane
    potential: Volume

    @classmethod
    def of(cls, model: EarModel) -> "FieldView":
        """Return the view of the middle fed contact, across the axis that shows most borders."""
        fed = np.flatnonzero(model.fed)
        contact = int(fed[len(fed) // 2])
        voxels_mm = _voxels_mm(model)
        z, y, x = (int(k) for k in model.contacts[contact] / voxels_mm)
        middle = tuple(int((k + 0.5) * model.factor) for k in (z, y, x))
        axis = telling_axis(model.classes, (middle[0], middle[1], middle[2]))
        plane = Plane.across(axis, (z, y, x)[axis], voxels_mm)
        return cls(model, contact, plane, model.potential_of(contact))

    def error_percent(self, predicted: EarModel) -> npt.NDArray[np.float64]:
        """Return the error of a predicted potential in the plane; NaN in the air of either map."""
        found = predicted.potential_of(self.contact)
        return 100 * self._cut(found / self.potential - 1)

    def shown(self, errors: Mapping[str, npt.NDArray[np.float64]]) -> FieldSlice:
        """Return what the picture shows, with the errors of methods by their titles."""
        fine = replace(self.plane, index=int((self.plane.index + 0.5) * self.model.factor))
        return FieldSlice(
            classes=fine.of(self.model.classes),
            potential=self._cut(self.potential),
            errors=errors,
            sensitivity=self._cut(self._relative_sensitivity()),
            contacts_mm=self._contacts_mm(),
        )

    def _cut(self, volume: Volume) -> npt.NDArray[np.float64]:
        return self.plane.of(volume[self.model.solver.grid.inner])

    def _relative_sensitivity(self) -> Volume:
        """Percent of the peak potential along the nerve for 1 % of each cell's conductivity."""
        along = self.model.read(self.potential)
        peak = int(np.nanargmax(along))
        by_site = self.model.potential_of_point(self.model.sites[peak])
        return sensitivity(self.model.solver, self.potential, by_site) / along[peak]

    def _contacts_mm(self) -> npt.NDArray[np.float64]:
        """Contacts near the plane (n, 2), mm from the left and upper border; the feeding first."""
        model, axis = self.model, self.plane.axis
        voxels_mm = _voxels_mm(model)
        middle_mm = (self.plane.index + 0.5) * voxels_mm[axis]
        near = np.abs(model.contacts[:, axis] - middle_mm) < NEAR_PLANE_MM
        others = [k for k in np.flatnonzero(near).tolist() if k != self.contact]
        order = np.array([self.contact, *others])
        down, right = np.delete(model.contacts[order], axis, axis=1).T
        # As `Plane.of` does it: where z runs along the height, it runs upwards.
        height_mm = self._cut(self.potential).shape[0] * voxels_mm[0]
        return np.stack([right, down if axis == 0 else height_mm - down], axis=1)


def _voxels_mm(model: EarModel) -> tuple[float, float, float]:
    """Size z, y, x of the field's voxels, without the wider cells round them."""
    grid = model.solver.grid
    z, y, x = (
        float(widths[part][0]) for widths, part in zip(grid.widths_mm, grid.inner, strict=True)
    )
    return z, y, x
