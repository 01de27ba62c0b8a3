"""From a new CT to its synthetic micro-CT, class map and uncertainty, on the CT's own frame."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import SimpleITK as sitk

from otosynth.classmap import class_map_from_microct
from otosynth.errors import InputError
from otosynth.inference import Ear, Predictor
from otosynth.prediction import checks
from otosynth.prediction.checks import Check
from otosynth.prediction.ensemble import (
    EnsemblePrediction,
    patches_to_see,
    predict_ensemble,
    watched,
)
from otosynth.prediction.model import TrainedModel
from otosynth.prediction.placing import Placement, Search, place
from otosynth.prediction.priors import priors_of_members
from otosynth.registration.overlap import AIR_HU
from otosynth.seeds import derive_seed
from otosynth.specimens import SIDES, Side
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.grids import image_like
from otosynth.volumes.measured import measured_part
from otosynth.volumes.stated import Range

# Tells a stage of the work, and how much of it is done, 0 to 1.
Progress = Callable[[str, float], None]

# Volumes of intensities, and those of classes, which are never interpolated.
NEAREST = ("classmap", "mask")


def silent(stage: str, done: float) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class CtPrediction:
    """What a model says of a new CT.

    Attributes
    ----------
    volumes
        On the CT's frame (its axes and its place in space) at the training's voxel size:
        ``microct`` and ``microct_std`` (the training scanner's unit), ``classmap`` (air 0, soft
        tissue 1, bone 2), ``uncertainty`` (0 to 1), as far as the model gives them; ``mask``: 1
        where anything was predicted, elsewhere the others are air, 0 and 0. For the quality sheet
        ``ct`` and ``training_ct``, the training ear by which the CT was placed (HU).
    checks
        What was looked at, the verdicts of a forced prediction included.
    placement
        How the CT was brought to the training's side and pose.
    """

    volumes: dict[str, sitk.Image]
    checks: tuple[Check, ...]
    placement: Placement

    @property
    def classmap(self) -> sitk.Image:
        """The class map."""
        return self.volumes["classmap"]

    @property
    def microct(self) -> sitk.Image | None:
        """The synthetic micro-CT; None of a method that gives classes alone."""
        return self.volumes.get("microct")

    @property
    def uncertainty(self) -> sitk.Image | None:
        """The uncertainty map, where the model gives one."""
        return self.volumes.get("uncertainty")


@dataclass(frozen=True)
class Looked:
    """A CT that was looked at: its place, and all verdicts."""

    placement: Placement
    ct: sitk.Image
    mask: sitk.Image
    checks: tuple[Check, ...]


def look_at(
    ct: sitk.Image,
    model: TrainedModel,
    side: Side | None = None,
    search: Search = "45 degrees",
    force: bool = False,
    progress: Progress = silent,
    padding: Sequence[Range] = (),
) -> Looked:
    """Check a CT against what a model was trained on, and bring it to the training pose.

    Parameters are those of :func:`predict_ct`.

    Returns
    -------
    Looked
        ``ct`` and ``mask`` are on the training grid.

    Raises
    ------
    InputError
        If a check refuses and ``force`` is not given, no training ear finds a place at all, or this
        version of otosynth does not know the model's method or builds other networks.
    """
    facts = model.facts
    _check_options(side, search)
    method = model.create_method()
    model.check_weights(method)
    found = [
        checks.check_training_data(facts),
        checks.check_field(ct),
        checks.check_voxels(ct, facts),
    ]
    ct, measured = measured_part(ct, padding)
    if measured is not None:
        found.append(checks.check_measured(measured))
    # What a header tells is refused before minutes are spent on the search.
    checks.refuse_if_any(found, force)
    total, done = len(SIDES) * len(model.references), 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress("Finding the ear", done / total)

    placements = place(ct, model.references, facts.working_side, SIDES, search, advance, measured)
    best = next((p for p in placements if side in (None, p.side)), None)
    if best is None:
        raise InputError(f"No training ear finds a place in the CT as a {side} ear; check --side.")
    on_grid, mask = best.onto_training_grid(ct, method.settings.factor, measured)
    found += [
        checks.check_side(placements, side),
        checks.check_match(best),
        checks.check_pose(best),
        checks.check_cover(best),
        checks.check_hu(array_of(on_grid), array_of(mask), facts),
    ]
    checks.refuse_if_any(found, force)
    return Looked(best, on_grid, mask, tuple(found))


def _check_options(side: str | None, search: str) -> None:
    """Refuse what a notebook may misspell."""
    for name, value, known in (
        ("side", side, (None, *SIDES)),
        ("search", search, get_args(Search)),
    ):
        if value not in known:
            raise InputError(f"{name} is {value!r}, and may be {', '.join(map(repr, known))}.")


def predict_ct(
    ct: sitk.Image,
    model: TrainedModel,
    side: Side | None = None,
    search: Search = "45 degrees",
    force: bool = False,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = silent,
    padding: Sequence[Range] = (),
) -> CtPrediction:
    """Predict a CT that the model has never seen.

    Parameters
    ----------
    ct
        The CT in HU, with its true geometry.
    side
        Side of the ear; None: it is told by which side matches the training ears.
    search
        How far the CT may be turned against the training CTs.
    force
        Predict even where a check refuses.
    device
        ``auto``, ``cpu`` or ``cuda``.
    threads
        Arithmetic threads; None: as in training. The last digits depend on it.
    progress
        Is told the stage of the work and how much of it is done, 0 to 1.
    padding
        The HU that the CT's file declares as not measured, of each range both ends; nothing is
        predicted there, nor where the voxels tell it (:mod:`otosynth.volumes.measured`).

    Raises
    ------
    InputError
        As :func:`look_at`; or if this machine has no such device.
    """
    # Whether there is such a device is told before minutes are spent on the search.
    resolve_arithmetic(device, "auto", 1)
    looked = look_at(ct, model, side, search, force, progress, padding)
    ear = Ear(array_of(looked.ct), array_of(looked.mask))
    prediction = _predict(ear, looked, model, device, threads or model.facts.threads, progress)
    without_padding, _ = measured_part(ct, padding)
    volumes = _on_frame_of(without_padding, looked, prediction, model)
    return CtPrediction(volumes, looked.checks, looked.placement)


def _predict(
    ear: Ear,
    looked: Looked,
    model: TrainedModel,
    device: str,
    threads: int,
    progress: Progress,
) -> EnsemblePrediction:
    method, facts = model.create_method(), model.facts
    settings, spacing_mm = model.class_map_settings(), spacing_zyx(looked.ct)
    total = len(facts.members) * patches_to_see(ear, method, facts.patch_size)
    seen, registered = 0.0, 0

    def advance(patches: float) -> None:
        nonlocal seen
        seen += patches
        progress("Predicting", seen / total)

    def advance_registration() -> None:
        nonlocal registered
        registered += 1
        progress("Registering the training ears", registered / len(model.references))

    def members() -> Iterator[Predictor]:
        for number, member in enumerate(facts.members):
            arithmetic = resolve_arithmetic(device, member.precision, threads)
            yield Predictor(
                watched(method, advance),
                model.networks(number, method, arithmetic),
                member.windows(),
                arithmetic,
                facts.patch_size,
                derive_seed(member.seed, "prediction", member.group),
            )

    return predict_ensemble(
        ear,
        members(),
        lambda microct, inside: (
            class_map_from_microct(microct, inside, spacing_mm, settings).labels
        ),
        priors_of_members(
            looked.ct, looked.mask, model, method.settings.prior_kind, advance_registration
        ),
        # Of the mean over the members, so their mean too: they are of one recipe.
        float(np.mean([member.temperature for member in facts.members])),
    )


def _on_frame_of(
    ct: sitk.Image, looked: Looked, prediction: EnsemblePrediction, model: TrainedModel
) -> dict[str, sitk.Image]:
    """Bring all that was predicted onto the CT's frame, at the training's voxel size."""
    frame = output_grid(ct, looked.placement)
    back = looked.placement.transform.GetInverse()
    arrays = {name: array for name, array in vars(prediction).items() if array is not None}
    # What is said of where nothing was predicted; 0 of all others.
    outside = {"microct": min(m.windows().microct.low for m in model.facts.members)}
    volumes = {}
    for name, array in (arrays | {"mask": array_of(looked.mask)}).items():
        kind = sitk.sitkNearestNeighbor if name in NEAREST else sitk.sitkLinear
        image = image_like(array, looked.mask)
        volumes[name] = sitk.Resample(image, frame, back, kind, outside.get(name, 0.0))
    inside = volumes["mask"]
    for name, image in volumes.items():
        if name != "mask":
            # Where the CT ends within the region, the networks saw nothing.
            volumes[name] = sitk.Mask(image, inside, outside.get(name, 0.0))
    volumes["ct"] = sitk.Resample(ct, frame, sitk.Transform(), sitk.sitkLinear, AIR_HU)
    matched = next(r for r in model.references if r.facts == looked.placement.reference)
    volumes["training_ct"] = sitk.Resample(matched.ct, frame, back, sitk.sitkLinear, AIR_HU)
    return volumes


def output_grid(ct: sitk.Image, placement: Placement) -> sitk.Image:
    """Return the grid of what is written: the CT's axes, round the region of training.

    The voxel is the training's; its outermost voxels lie within the CT's field of view.
    """
    grid = placement.reference.grid
    faces = [grid.point_mm(np.array(c) * grid.size - 0.5).tolist() for c in np.ndindex(2, 2, 2)]
    corners = [
        ct.TransformPhysicalPointToContinuousIndex(placement.transform.TransformPoint(point))
        for point in faces
    ]
    spacing = np.array(grid.spacing_mm)
    scale = spacing / np.array(ct.GetSpacing())
    # In voxels of the CT, whose outer faces lie half a voxel beyond its outermost centres.
    low = np.maximum(np.min(corners, axis=0), -0.5)
    high = np.minimum(np.max(corners, axis=0), np.array(ct.GetSize()) - 0.5)
    count = np.maximum(np.floor((high - low) / scale + 1e-6).astype(int), 1)
    first = (low + high) / 2 - (count - 1) / 2 * scale
    frame = sitk.Image(count.tolist(), sitk.sitkUInt8)
    frame.SetSpacing(spacing.tolist())
    frame.SetDirection(ct.GetDirection())
    frame.SetOrigin(ct.TransformContinuousIndexToPhysicalPoint(first.tolist()))
    return frame
