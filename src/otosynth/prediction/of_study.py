"""The trained model of a finished study, read from its results and its records."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch
from torch import Tensor, nn

from otosynth.configuration.study import Study, load_study
from otosynth.errors import InputError
from otosynth.files import sha256_of
from otosynth.methods import create_method
from otosynth.methods.base import CtPatch, Method
from otosynth.normalisation import Normalisation
from otosynth.prediction.model import (
    HU_PERCENTILES,
    MemberFacts,
    ModelFacts,
    Reference,
    ReferenceFacts,
    TrainedModel,
    Triple,
)
from otosynth.provenance.places import Places
from otosynth.provenance.tree import read_root
from otosynth.registration.geometry import linear_part
from otosynth.registration.preparation import resample_to_spacing, smooth
from otosynth.registration.transforms import read_transform
from otosynth.tissues import CLASSES
from otosynth.training.checkpoints import checkpoint_epoch, read_tensors, selected_checkpoint
from otosynth.volumes.arrays import read_labels
from otosynth.volumes.grids import Grid, mirror
from otosynth.volumes.itk_io import read_header
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import input_files, read_volume

# Voxel of a training ear's coarse CT (mm): ears of different people are aligned no finer.
COARSE_MM = 0.6
# Voxels of a training CT that its percentiles are taken from, at most.
MOST_VOXELS = 1_000_000


@dataclass(frozen=True)
class ModelName:
    """STUDY/METHOD, all groups of a method, or STUDY/GROUP/METHOD."""

    study: str
    group: str | None
    method: str

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Read a name.

        Raises
        ------
        InputError
            If it has another form.
        """
        match text.strip("/").split("/"):
            case [study, method]:
                return cls(study, None, method)
            case [study, group, method]:
                return cls(study, group, method)
        raise InputError(
            f"'{text}' names no model. Give STUDY/METHOD (an ensemble of all groups, such as "
            "phantom/multi_task), STUDY/GROUP/METHOD, or a file that `otosynth export` wrote."
        )


def read_study_model(
    name: ModelName, results: Path = Path("results"), data: Path | None = None
) -> TrainedModel:
    """Read a trained model from a finished study.

    Parameters
    ----------
    name
        Which study, method and group; the members are the study's first seed.
    results
        Folder of all studies.
    data
        Folder of the raw scans of a study of files; without it the voxel size of its training CTs
        is not known.

    Raises
    ------
    InputError
        If the study is not finished, has no such group or method, or the method cannot predict a
        CT by itself.
    """
    places = Places(results / name.study, data)
    root = read_root(places)
    # Where a study lay is no part of its records; the model needs no such key.
    study = load_study(root["configuration"])
    method = _method(study, name)
    trained = study.methods[name.method].weights_of or name.method
    groups = _groups(places, name, trained)
    members, weights = _members(places, groups, trained, study.training.seeds[0], method)
    references = _references(places, groups, trained, study.training.seeds[0], method)
    facts = ModelFacts(
        study=root["study"],
        label=root["label"],
        source=study.data.source,
        root=root["root"],
        method=name.method,
        settings=method.settings.model_dump(mode="json"),
        classmap=study.classmap.model_dump(mode="json"),
        patch_size=study.patches.size,
        threads=study.training.threads,
        working_side=study.data.working_side,
        members=members,
        references=tuple(reference.facts for reference in references),
        dice=_dice(places, name, set(groups)),
    )
    return TrainedModel(facts, weights, references)


def networks_used(method: Method) -> tuple[str, ...]:
    """Return the names of the networks that a method's prediction runs.

    Discriminators, and what only training needs, are found by not being asked for.
    """
    settings = method.settings
    multiple = settings.patch_multiple
    edge = -(-max(settings.smallest_patch, multiple) // multiple) * multiple
    networks = _Noted(method.build_networks(seed=0))
    for network in networks.values():
        network.eval()
    nothing = torch.zeros(1, 1, edge, edge, edge)
    networks.asked.clear()
    with torch.inference_mode():
        method.predict(networks, CtPatch(nothing, torch.ones_like(nothing)))
    return tuple(sorted(networks.asked))


class _Noted(Mapping[str, nn.Module]):
    """Networks that note which of them are asked for."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self._networks = networks
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> nn.Module:
        self.asked.add(name)
        return self._networks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._networks)

    def __len__(self) -> int:
        return len(self._networks)


def _method(study: Study, name: ModelName) -> Method:
    """Return the method of a block; refuse what cannot predict a new CT."""
    settings = study.methods.get(name.method)
    if settings is None:
        raise InputError(
            f"The study {name.study} has no trained method '{name.method}'. It has: "
            f"{', '.join(study.methods)}."
        )
    if not settings.tested:
        raise InputError(f"{name.method} serves other methods and predicts no CT by itself.")
    if settings.prior:
        raise InputError(
            f"{name.method} needs a prior, the training ears' micro-CTs registered to each new "
            "ear, which `otosynth predict` and `export` do not make. Choose another method."
        )
    return create_method(settings)


def _groups(places: Places, name: ModelName, trained: str) -> list[str]:
    folders = (places.results / "training").glob(f"*/{trained}")
    found = sorted(folder.parent.name for folder in folders)
    if not found:
        raise InputError(f"{places.results}: no training of {trained} lies here.")
    if name.group is None:
        return found
    if name.group not in found:
        raise InputError(
            f"The study {name.study} has no group '{name.group}' of {trained}. It has: "
            f"{', '.join(found)}."
        )
    return [name.group]


def _record(places: Places, job: str) -> dict[str, Any]:
    path = places.results / "records" / f"{job}.json"
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise InputError(f"{path}: missing or unreadable; run the study again.") from None
    return record


def _parameters(places: Places, group: str, method: str, seed: int) -> dict[str, Any]:
    """Return what the record of a training says of its ears: the fold, and who is mirrored."""
    record = _record(places, f"train/{group}-{method}-{seed}")
    parameters: dict[str, Any] = record["parameters"]
    return parameters


def _members(
    places: Places, groups: Sequence[str], trained: str, seed: int, method: Method
) -> tuple[tuple[MemberFacts, ...], tuple[dict[str, Tensor], ...]]:
    used = networks_used(method)
    found = [_member(places, group, trained, seed, used) for group in groups]
    return tuple(facts for facts, _ in found), tuple(weights for _, weights in found)


def _member(
    places: Places, group: str, method: str, seed: int, used: tuple[str, ...]
) -> tuple[MemberFacts, dict[str, Tensor]]:
    folder = places.results / "training" / group / method / f"seed-{seed}"
    selected = folder / "selected.json"
    if not selected.is_file():
        raise InputError(f"{selected}: missing; run the study to its end.")
    checkpoint = selected_checkpoint(folder / "checkpoints", selected)
    tensors, said = read_tensors(checkpoint)
    fold = _parameters(places, group, method, seed)["fold"]
    windows = Normalisation.read(places.results / "groups" / group / "normalisation.json")
    facts = MemberFacts(
        group=group,
        seed=seed,
        epoch=checkpoint_epoch(checkpoint),
        precision=said["precision"],
        training=tuple(fold["training"]),
        validation=tuple(fold["validation"]),
        networks=used,
        normalisation={"ct": vars(windows.ct), "microct": vars(windows.microct)},
        checkpoint_sha256=sha256_of(checkpoint),
    )
    return facts, {n: t for n, t in tensors.items() if n.split(".")[0] in used}


def _references(
    places: Places, groups: Sequence[str], trained: str, seed: int, method: Method
) -> tuple[Reference, ...]:
    """Return the training ears of some groups, each once."""
    mirrored: dict[str, bool] = {}
    for group in groups:
        parameters = _parameters(places, group, trained, seed)
        mirrored |= {ear: parameters["mirrored"][ear] for ear in parameters["fold"]["training"]}
    factor = method.settings.factor
    return tuple(_reference(places, ear, mirrored[ear], factor) for ear in sorted(mirrored))


def _reference(places: Places, ear: str, mirrored: bool, factor: int) -> Reference:
    """Return a training ear as the networks saw it: from the working side, on their grid."""
    folder = places.results / "specimens" / ear
    ct, mask = read_volume(folder / "ct.nii"), read_labels(folder / "mask.nii")
    hu = _percentiles(map_voxels(folder / "ct.nii"), map_voxels(folder / "mask.nii"))
    rotation = linear_part(read_transform(folder / "registration/transform.tfm"))[0]
    if mirrored:
        ct, mask = mirror(ct), mirror(mask)
        rotation = _of_mirrored(rotation, ct)
    grid = Grid.of(mask).shrunk([factor] * 3)
    coarse = sitk.Cast(resample_to_spacing(smooth(ct, COARSE_MM), COARSE_MM), sitk.sitkInt16)
    mask = sitk.Resample(mask, coarse, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    facts = ReferenceFacts(
        ear=ear,
        grid=grid,
        coarse=Grid.of(coarse),
        rotation=rotation.ravel().tolist(),
        ct_spacing_mm=_raw_spacing(places, ear),
        hu=hu,
    )
    return Reference(facts, coarse, mask)


def _of_mirrored(rotation: np.ndarray, ct: sitk.Image) -> np.ndarray:
    """Return the pose of a mirrored ear.

    Its voxels are flipped along the x index of its grid, and a new CT of that side from left to
    right.
    """
    flip = np.diag([-1.0, 1.0, 1.0])
    axes = np.reshape(ct.GetDirection(), (3, 3))
    return flip @ rotation @ axes @ flip @ axes.T


def _percentiles(ct: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    """Return ``HU_PERCENTILES`` inside a mask, of every n-th voxel of a large volume."""
    step = max(1, round((ct.size / MOST_VOXELS) ** (1 / 3)))
    some = (slice(None, None, step),) * 3
    values = np.asarray(ct[some])[np.asarray(mask[some]) > 0]
    return tuple(float(value) for value in np.percentile(values, HU_PERCENTILES))


def _raw_spacing(places: Places, ear: str) -> Triple | None:
    """Return the voxel size of a CT as it was scanned, where the raw scan is there."""
    path = places.path_of(str(_record(places, f"register_pair/{ear}")["parameters"]["ct"]))
    if not path.exists():
        return None
    return scan_spacing(path)


def scan_spacing(path: Path) -> Triple:
    """Return a scan's voxel size (x, y, z) in mm, from its header where that tells all."""
    if path.is_file() and input_files(path) == [path]:
        x, y, z = read_header(path).GetSpacing()
    else:
        x, y, z = read_volume(path).GetSpacing()
    return x, y, z


def _dice(places: Places, name: ModelName, groups: set[str]) -> dict[str, float]:
    """Return the median Dice by class of the ears that these members' groups tested."""
    path = places.results / "tables" / "scores.csv"
    if not path.is_file():
        return {}
    scores = pd.read_csv(path, dtype={"group": str})
    chosen = scores[
        (scores["metric"] == "dice")
        & (scores["grid"] == "microct")
        & (scores["method"] == name.method)
        & scores["group"].isin(groups)
    ]
    medians = chosen.groupby("class")["value"].median()
    return {c: round(float(medians[c]), 4) for c in CLASSES if c in medians}
