"""The potential along the auditory nerve that a class map predicts."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import SimpleITK as sitk
from scipy import sparse

from otosynth.configuration.field import FieldSettings
from otosynth.field.conductivity import FLUID, NERVE, OTHER, check_classes, conductivity_of
from otosynth.field.electrodes import (
    CONTACT,
    FLOATING,
    IN_BONE,
    OUTSIDE,
    SITE,
    misplaced_contacts,
    points_of,
    refuse_misplaced,
)
from otosynth.field.finite_volumes import Volume
from otosynth.field.grid import grid_round
from otosynth.field.points import cells_of, grid_points_mm, interpolation
from otosynth.field.solver import FieldSolver
from otosynth.phantom.structures import Structure
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.grids import image_like, onto_grid

logger = logging.getLogger("otosynth")

FLUID_STRUCTURES = (
    Structure.SCALA_TYMPANI,
    Structure.SCALA_VESTIBULI,
    Structure.VESTIBULE,
    Structure.LATERAL_CANAL,
    Structure.SUPERIOR_CANAL,
    Structure.POSTERIOR_CANAL,
)
NERVE_STRUCTURES = (
    Structure.COCHLEAR_NERVE,
    Structure.INTERNAL_AUDITORY_CANAL,
    Structure.FACIAL_NERVE,
)


@dataclass(frozen=True)
class EarModel:
    """One ear as a volume conductor, by one class map.

    Attributes
    ----------
    classes
        The map, cut to whole voxels of the field (z, y, x), each of which holds ``factor`` cubed.
    factor
        Voxels of the map along an edge of one of the field.
    solver
        Of the potential, on the grid round them.
    contacts, sites
        Points (n, 3; z, y, x), mm on the grid.
    fed
        Whether each contact (n,) feeds a current; the others have no potential anywhere.
    """

    classes: npt.NDArray[np.uint8]
    factor: int
    solver: FieldSolver
    contacts: npt.NDArray[np.float64]
    sites: npt.NDArray[np.float64]
    fed: npt.NDArray[np.bool_]

    def potential_of(self, contact: int) -> Volume:
        """Return the potential (V; z, y, x) of 1 A at a contact (from 0).

        NaN where nothing conducts; everywhere, if the contact is not fed.
        """
        if not self.fed[contact]:
            return np.full(self.solver.grid.shape, np.nan)
        return self.potential_of_point(self.contacts[contact])

    def potential_of_point(self, point_mm: npt.NDArray[np.float64]) -> Volume:
        """Return the potential (V; z, y, x) of 1 A at a point (3,); NaN where nothing conducts."""
        current = self._weights(point_mm[None]).toarray()[0]
        return self.solver.volume(self.solver.solve(current))

    def read(self, potential: Volume) -> npt.NDArray[np.float64]:
        """Return a potential (z, y, x) at the neural sites (n,); NaN in air."""
        weights = self._weights(self.sites)
        heard = np.diff(weights.indptr) > 0
        return np.where(heard, weights @ potential[self.solver.cells], np.nan)

    def _weights(self, points_mm: npt.NDArray[np.float64]) -> sparse.csr_array:
        return interpolation(points_mm, self.solver.grid, self.solver.cells)

    def transfer(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the transfer resistances (contacts, points) in ohm: potential over current.

        NaN for contacts and points in air or in an island of tissue: no current, no potential.
        """
        sources, readers = self._weights(self.contacts), self._weights(points_mm)
        heard = np.diff(readers.indptr) > 0
        result = np.full((len(self.contacts), len(points_mm)), np.nan)
        fed = np.flatnonzero(self.fed)
        for first in range(0, len(fed), self.solver.contacts_at_once):
            some = fed[first : first + self.solver.contacts_at_once]
            potentials = self.solver.solve(sources[some].toarray().T)
            result[np.ix_(some, heard)] = (readers @ potentials)[heard].T
            logger.info("%d of %d contacts are solved", first + len(some), len(fed))
        return result


def finer_labels(structures: sitk.Image) -> sitk.Image:
    """Return where a phantom's structures are fluid of the inner ear and where nerve."""
    of_structure = np.full(256, OTHER, dtype=np.uint8)
    of_structure[list(FLUID_STRUCTURES)] = FLUID
    of_structure[list(NERVE_STRUCTURES)] = NERVE
    return image_like(of_structure[array_of(structures)], structures)


def inside_of_truth(predicted: sitk.Image, truth: sitk.Image, mask: sitk.Image) -> sitk.Image:
    """Return a prediction on the truth's grid, with the truth's classes outside the mask.

    Nothing outside the mask is scored, so nothing outside it may decide a field.
    """
    brought = array_of(onto_grid(predicted, truth, interpolate=False))
    return image_like(np.where(array_of(mask) > 0, brought, array_of(truth)), truth)


def ear_model(
    classmap: sitk.Image,
    electrodes: pd.DataFrame,
    settings: FieldSettings,
    name: str,
    *,
    labels: sitk.Image | None = None,
    is_truth: bool = True,
) -> EarModel:
    """Build the volume conductor of a class map.

    Parameters
    ----------
    classmap
        Air, soft tissue and bone.
    electrodes
        As :func:`otosynth.field.electrodes.place_electrodes` gives.
    name
        The map, for messages.
    labels
        As :func:`finer_labels` gives, on the same grid; ``None``: fluid and nerve are soft tissue.
    is_truth
        Of the micro-CT's map all three classes and all contacts in soft tissue are demanded, or
        contacts elsewhere are left out (``misplaced_contacts``). A prediction is taken at its
        word: a contact that it puts into bone feeds bone, one in air nothing.

    Raises
    ------
    InputError
        For a value that is no class; and of the truth, for a missing class, contacts outside soft
        tissue, contacts on a floating conductor, or if no contact is left.
    """
    classes = array_of(classmap)
    check_classes(classes, name, complete=is_truth)
    factor = max(1, round(settings.spacing_mm / min(classmap.GetSpacing())))
    finer = None if labels is None else array_of(labels)
    conductivity = conductivity_of(classes, settings.conductivity, finer, factor)
    spacing_mm = np.array(spacing_zyx(classmap))
    grid = grid_round(conductivity.shape, spacing_mm * factor, settings.boundary_mm)
    solver = FieldSolver(grid.embed(conductivity, settings.conductivity.surroundings), grid)
    contacts, sites = (grid_points_mm(points_of(electrodes, k), classmap) for k in (CONTACT, SITE))
    misplaced = misplaced_contacts(classes, contacts / spacing_mm)
    misplaced = _with_floating(misplaced, solver, contacts)
    islands = int(np.count_nonzero(solver.islands))
    if islands:
        logger.info("%s: %d voxels of tissue float in air and are left out", name, islands)
    if is_truth:
        _refuse_or_tell(misplaced, len(contacts), settings, name)
        unfed = list(misplaced)
    else:
        unfed = [number for number, where in misplaced.items() if where != IN_BONE]
    for number, where in misplaced.items():
        logger.warning("%s: contact %d lies %s", name, number, where)
    fed = ~np.isin(np.arange(len(contacts)) + 1, unfed)
    covered = tuple(slice(0, length * factor) for length in conductivity.shape)
    return EarModel(classes[covered], factor, solver, contacts, sites, fed)


def _with_floating(
    misplaced: dict[int, str], solver: FieldSolver, contacts: npt.NDArray[np.float64]
) -> dict[int, str]:
    """Add the contacts whose tissue has no path to the outer boundary."""
    grounded = solver.cells[tuple(cells_of(contacts, solver.grid).T)]
    floating = dict.fromkeys((np.flatnonzero(~grounded) + 1).tolist(), FLOATING)
    # One in air is said to be there.
    return misplaced | floating | {k: v for k, v in misplaced.items() if v != IN_BONE}


def _refuse_or_tell(
    misplaced: dict[int, str], count: int, settings: FieldSettings, name: str
) -> None:
    """Refuse the micro-CT's map for misplaced contacts, unless they may be left out."""
    outside = OUTSIDE in misplaced.values()
    if settings.misplaced_contacts == "refuse" or outside or len(misplaced) == count:
        refuse_misplaced(misplaced, name)
