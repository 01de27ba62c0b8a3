"""A trained model as one file: safetensors with its facts in the metadata, no pickle.

Tensors are ``member-<n>/<network>.<parameter>``, and of each training ear ``reference-<n>/ct``
(int16, HU, z y x, coarse) and ``reference-<n>/mask`` (uint8); of a method with a prior also
``reference-<n>/atlas-ct``, ``-mask``, and ``-classmap`` or ``-microct``. The facts are those of
:class:`otosynth.prediction.model.ModelFacts`, as JSON.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import torch
from pydantic import ValidationError
from torch import Tensor

from otosynth.errors import InputError
from otosynth.files import write_bytes
from otosynth.prediction.model import FORMATS, ModelFacts, Reference, TrainedModel
from otosynth.training.checkpoints import encode, read_tensors

ENDING = ".safetensors"
# Of the names of an ear's volumes on the grid on which it is registered to others.
ATLAS = "atlas-"


def write_model(model: TrainedModel, path: str | Path) -> None:
    """Write a model as one file, whole or not at all; the same model gives the same bytes.

    Raises
    ------
    InputError
        If the name does not end in ``.safetensors``, the disk is full, or the model is of another
        version of otosynth, which this one could not read again.
    """
    path = Path(path)
    check_name(path)
    model.check_weights(model.create_method())
    tensors: dict[str, Tensor] = {}
    for number, weights in enumerate(model.weights):
        tensors |= {f"member-{number}/{name}": values for name, values in weights.items()}
    for number, reference in enumerate(model.references):
        of_atlas = {f"{ATLAS}{name}": image for name, image in reference.atlas.items()}
        for name, image in ({"ct": reference.ct, "mask": reference.mask} | of_atlas).items():
            tensors[f"reference-{number}/{name}"] = torch.from_numpy(sitk.GetArrayFromImage(image))
    facts = {"model": model.facts.described(), "digest": model.digest}
    write_bytes(path, encode(tensors, facts))


def check_name(path: Path) -> None:
    """Refuse a name that does not say what the file is.

    Raises
    ------
    InputError
        If it does not end in ``.safetensors``.
    """
    if path.suffix != ENDING:
        raise InputError(f"{path}: a model's file ends in {ENDING}.")


def read_model(path: Path) -> TrainedModel:
    """Read what ``write_model`` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, a checkpoint of a training, or of a later format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file.")
    tensors, said = read_tensors(path)
    facts = _facts(path, said)
    try:
        weights = tuple(_part(tensors, f"member-{n}/") for n, _ in enumerate(facts.members))
        references = tuple(
            _reference(facts, number, _part(tensors, f"reference-{number}/"))
            for number, _ in enumerate(facts.references)
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: its parts do not fit together ({error}).") from None
    model = TrainedModel(facts, weights, references)
    if model.digest != said.get("digest"):
        raise InputError(f"{path}: is damaged or was changed (its digest differs); copy it again.")
    return model


def _facts(path: Path, said: Mapping[str, Any]) -> ModelFacts:
    if "model" not in said:
        raise InputError(
            f"{path}: is a checkpoint of a training, not an exported model; "
            "`otosynth export STUDY/GROUP/METHOD --out FILE` makes one."
        )
    found = said["model"].get("format") if isinstance(said["model"], Mapping) else None
    if found not in FORMATS:
        raise InputError(
            f"{path}: has the model format {found}, and this version of otosynth reads "
            f"{' and '.join(map(str, FORMATS))}; use the version that wrote it."
        )
    try:
        return ModelFacts.model_validate(said["model"])
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(f"{path}: its facts are not valid ({place}).") from None


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _reference(facts: ModelFacts, number: int, parts: Mapping[str, Tensor]) -> Reference:
    of_ear = facts.references[number]
    ct, mask = (of_ear.coarse.image(parts[name].numpy()) for name in ("ct", "mask"))
    atlas = {}
    if of_ear.atlas is not None:
        atlas = {n: of_ear.atlas.image(t.numpy()) for n, t in _part(parts, ATLAS).items()}
    return Reference(of_ear, ct, mask, atlas)
