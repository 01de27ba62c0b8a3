"""The study's main steps in a few lines of Python, for notebooks and scripts.

Images are SimpleITK images: points in mm, LPS; :func:`voxels` gives their arrays z, y, x. See
``docs/python.md``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.base import section_of
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.configuration.registration import RegistrationSettings
from otosynth.phantom import make_ear
from otosynth.phantom.ear import PhantomEar
from otosynth.prediction.in_memory import TrainingEar, train_model
from otosynth.prediction.model import TrainedModel
from otosynth.prediction.model_file import ENDING, read_model, write_model
from otosynth.prediction.of_study import ModelName, read_study_model
from otosynth.prediction.predict import CtPrediction, predict_ct
from otosynth.registration.overlap import field_of_view_mask, resample_measured
from otosynth.registration.rigid import register_rigid
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.checks import check_intensities
from otosynth.volumes.grids import Grid, image_like
from otosynth.volumes.measured import MarkedVolume, find_padding, measured_part
from otosynth.volumes.reading import declared_padding, read_volume
from otosynth.volumes.stated import Range, Stated
from otosynth.volumes.volume import Volume

__all__ = [
    "Registered",
    "TrainingEar",
    "class_map",
    "load_model",
    "padding_of",
    "phantom_ear",
    "predict",
    "read_scan",
    "register",
    "train",
    "voxels",
    "write_model",
]


class Registered(NamedTuple):
    """A CT on its micro-CT's grid.

    Attributes
    ----------
    ct
        In HU.
    mask
        Where both were measured (uint8).
    pose
        Takes a micro-CT point to a CT point (mm, LPS).
    """

    ct: sitk.Image
    mask: sitk.Image
    pose: sitk.Euler3DTransform


def read_scan(path: str | Path, stated: str = "") -> sitk.Image:
    """Read a scan of any known format, and refuse one with NaN or nothing to see.

    Parameters
    ----------
    path
        The scan's file or folder.
    stated
        What its file does not state, such as ``orientation=LPS`` (docs/configuration.md,
        ``data.ct_stated``).

    Raises
    ------
    InputError
        As :func:`otosynth.volumes.reading.read_volume` and ``check_intensities``.
    """
    image = read_volume(Path(path), Stated.parse(stated))
    check_intensities(image, Path(path))
    return image


def padding_of(path: str | Path) -> tuple[Range, ...]:
    """Return the values that a scan's file declares as not measured: of each range both ends."""
    return declared_padding(Path(path))


def voxels(image: sitk.Image) -> np.ndarray:
    """Return an image's voxels (z, y, x)."""
    return array_of(image)


def phantom_ear(
    name: str = "trial", side: str = "right", seed: int = 1, **settings: float
) -> PhantomEar:
    """Make a virtual ear with its CT, micro-CT and exact classes (docs/method.md, section 9).

    Parameters
    ----------
    name, seed
        Together they decide all of the ear's variation.
    side
        ``left`` or ``right``.
    settings
        Keys of the section ``phantom``, e.g. ``spacing_mm=0.4``.

    Raises
    ------
    InputError
        If the side is neither, or a key is not valid.
    """
    return make_ear(name, side, section_of(PhantomSettings, settings), seed)


def register(
    ct: sitk.Image,
    microct: sitk.Image,
    initial: sitk.Euler3DTransform | None = None,
    seed: int = 1,
    ct_padding: Sequence[Range] = (),
    microct_padding: Sequence[Range] = (),
    **settings: object,
) -> Registered:
    """Bring a CT onto the grid of its micro-CT (docs/method.md, section 3).

    Parameters
    ----------
    ct, microct
        Scans of one ear, CT in HU.
    initial
        Takes a micro-CT point to a CT point; None: it is searched.
    ct_padding, microct_padding
        The values of what was not measured, where they are known (:func:`padding_of`); else the
        voxels tell it (:mod:`otosynth.volumes.measured`).
    settings
        Keys of the section ``registration``.

    Raises
    ------
    InputError
        If the two do not overlap enough, or a key is not valid.
    """
    wanted = section_of(RegistrationSettings, settings)
    ct, measured = measured_part(ct, ct_padding)
    volume, grid = Volume.of(microct), Grid.of(microct)
    padding = find_padding(volume, hounsfield=False, declared=microct_padding)
    marked = MarkedVolume(volume.voxels, grid, microct, padding)
    transform = register_rigid(marked, ct, wanted, initial, seed, ct_measured=measured).transform
    mask = field_of_view_mask(ct, transform, grid, measured)
    if padding is not None:
        inside = ~padding.of(volume.voxels, slice(0, grid.shape[0]))
        mask = sitk.Mask(mask, grid.image(inside))
    return Registered(resample_measured(ct, measured, transform, grid), mask, transform)


def class_map(
    microct: sitk.Image, mask: sitk.Image | None = None, **settings: object
) -> sitk.Image:
    """Classify a micro-CT into air 0, soft tissue 1 and bone 2 (docs/method.md, section 4).

    Parameters
    ----------
    mask
        Voxels (not zero) that the thresholds come from; None: all.
    settings
        Keys of the section ``classmap``.

    Raises
    ------
    InputError
        If the mask is empty, there are fewer than three grey levels, or a key is not valid.
    """
    values = array_of(microct)
    inside = np.ones(values.shape, bool) if mask is None else array_of(mask) > 0
    wanted = section_of(ClassMapSettings, settings)
    padding = find_padding(Volume.of(microct), hounsfield=False)
    made = class_map_from_microct(values, inside, spacing_zyx(microct), wanted, padding)
    return image_like(made.labels, microct)


def train(
    ears: Sequence[TrainingEar],
    method: str = "multi_task",
    patch_size: int = 32,
    seed: int = 1,
    label: str = "trained in a notebook",
    phantom: bool = False,
    **settings: object,
) -> TrainedModel:
    """Train a small model in memory; a study (``snakemake``) trains one to rely on.

    No ear is held back: nothing selects the epoch, and nothing tests the model.

    Parameters
    ----------
    ears
        Registered pairs.
    method
        A method that needs no prior and no other networks.
    patch_size
        Edge of a patch, voxels.
    label, phantom
        What the ears are; a model of virtual ears says so of each prediction.
    settings
        Keys of the method's block, e.g. ``epochs=2``.

    Raises
    ------
    InputError
        If the method or its settings do not fit.
    """
    return train_model(ears, method, dict(settings), patch_size, seed, label, phantom)


def load_model(
    model: str | Path, results: str | Path = "results", data: str | Path | None = None
) -> TrainedModel:
    """Read a trained model.

    Parameters
    ----------
    model
        STUDY/METHOD (an ensemble of all groups), STUDY/GROUP/METHOD, or a file ``.safetensors``
        of ``otosynth export``.
    results, data
        Folder of all studies, and of the raw scans of a study of files.

    Raises
    ------
    InputError
        If there is no such model.
    """
    if Path(model).suffix == ENDING:
        return read_model(Path(model))
    name = ModelName.parse(str(model))
    return read_study_model(name, Path(results), Path(data) if data else None)


def predict(
    ct: sitk.Image | str | Path, model: TrainedModel | str | Path, **options: object
) -> CtPrediction:
    """Predict the micro-CT and the classes of a CT never seen.

    Parameters
    ----------
    ct
        The CT in HU, or its path.
    model
        The model, or its name as for :func:`load_model`.
    options
        As of :func:`otosynth.prediction.predict.predict_ct`, e.g. ``side="left"``.

    Raises
    ------
    InputError
        If the CT is not like those of the training, has NaN, or something cannot be read.
    """
    if isinstance(ct, sitk.Image):
        check_intensities(ct, Path("CT"))
    if not isinstance(ct, sitk.Image):
        options = {"padding": padding_of(ct)} | options
    image = ct if isinstance(ct, sitk.Image) else read_scan(ct)
    trained = model if isinstance(model, TrainedModel) else load_model(model)
    return predict_ct(image, trained, **options)  # type: ignore[arg-type]
