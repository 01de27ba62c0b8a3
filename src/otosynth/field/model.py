"""The potential along the auditory nerve that a class map predicts."""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import SimpleITK as sitk
from scipy import sparse

from otosynth.configuration.field import FieldSettings
from otosynth.errors import InputError
from otosynth.field.conductivity import FLUID, NERVE, OTHER, check_classes, conductivity_of
from otosynth.field.electrodes import (
    CONTACT,
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
from otosynth.volumes.grids import downsample_labels, image_like, onto_grid

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
    classmap
        The map on the field's voxels.
    solver
        Of the potential, on the grid round them.
    contacts, sites
        Points (n, 3; z, y, x), mm on the grid.
    misplaced
        Contacts outside soft tissue, by their number.
    """

    classmap: sitk.Image
    solver: FieldSolver
    contacts: npt.NDArray[np.float64]
    sites: npt.NDArray[np.float64]
    misplaced: dict[int, str]

    def potential_of(self, point_mm: npt.NDArray[np.float64]) -> Volume:
        """Return the potential (V; z, y, x) of 1 A at a point (3,); NaN where nothing conducts.

        Of a point in air or on an island of tissue, which no current can enter, all is NaN.
        """
        if not self.solver.cells[tuple(cells_of(point_mm[None], self.solver.grid)[0])]:
            return np.full(self.solver.grid.shape, np.nan)
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
        fed = np.flatnonzero(self._fed)
        for first in range(0, len(fed), self.solver.contacts_at_once):
            some = fed[first : first + self.solver.contacts_at_once]
            potentials = self.solver.solve(sources[some].toarray().T)
            result[np.ix_(some, heard)] = (readers @ potentials)[heard].T
            logger.info("%d of %d contacts are solved", first + len(some), len(fed))
        return result

    @property
    def _fed(self) -> npt.NDArray[np.bool_]:
        """Whether each contact's own cell conducts to the outer boundary."""
        return self.solver.cells[tuple(cells_of(self.contacts, self.solver.grid).T)]


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
        Of the micro-CT's map all three classes and all contacts in soft tissue are demanded. A
        prediction is taken at its word: a contact that it puts into bone feeds bone, one in
        air nothing.

    Raises
    ------
    InputError
        For a value that is no class; and of the truth, for a missing class, contacts outside soft
        tissue, and contacts on a floating conductor.
    """
    factor = max(1, round(settings.spacing_mm / min(classmap.GetSpacing())))
    check_classes(array_of(classmap), name, complete=is_truth)
    voxels = downsample_labels(classmap, factor)
    classes = array_of(voxels)
    finer = None if labels is None else array_of(downsample_labels(labels, factor))
    grid = grid_round(classes.shape, spacing_zyx(voxels), settings.boundary_mm)
    conductivity = conductivity_of(classes, settings.conductivity, finer)
    solver = FieldSolver(grid.embed(conductivity, settings.conductivity.surroundings), grid)
    contacts, sites = (grid_points_mm(points_of(electrodes, k), voxels) for k in (CONTACT, SITE))
    misplaced = misplaced_contacts(classes, contacts / spacing_zyx(voxels))
    if is_truth:
        refuse_misplaced(misplaced, name)
        _refuse_floating(solver, contacts, name)
    for number, where in misplaced.items():
        logger.warning("%s: contact %d lies %s", name, number, where)
    islands = int(np.count_nonzero(solver.islands))
    if islands:
        logger.info("%s: %d voxels of tissue float in air and are left out", name, islands)
    return EarModel(voxels, solver, contacts, sites, misplaced)


def _refuse_floating(solver: FieldSolver, points: npt.NDArray[np.float64], name: str) -> None:
    """Refuse contacts whose tissue has no path to the outer boundary."""
    floating = solver.islands[tuple(cells_of(points, solver.grid).T)]
    if floating.any():
        numbers = ", ".join(str(n) for n in np.flatnonzero(floating) + 1)
        raise InputError(
            f"{name}: the tissue round the contacts {numbers} is a floating conductor: air parts "
            "it from all that leads to the return electrode. Check the class map there."
        )
