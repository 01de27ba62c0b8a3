"""The trained model of a finished study, read from its results and its records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from torch import Tensor

from otosynth.atlas_files import read_atlas
from otosynth.configuration.methods.base import PriorKind
from otosynth.configuration.study import Study, load_study
from otosynth.errors import InputError
from otosynth.methods import create_method
from otosynth.methods.base import Method
from otosynth.normalisation import Normalisation
from otosynth.prediction.members import member_of, networks_used
from otosynth.prediction.model import (
    MemberFacts,
    ModelFacts,
    Reference,
    TrainedModel,
    Triple,
)
from otosynth.prediction.references import hu_percentiles, reference_of
from otosynth.provenance.places import Places
from otosynth.provenance.tree import Record, Root, read_record, read_root, record_path
from otosynth.registration.transforms import read_transform
from otosynth.tissues import CLASSES
from otosynth.training.checkpoints import selected_checkpoint
from otosynth.volumes.arrays import read_labels
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import read_scan_header, read_volume
from otosynth.volumes.stated import Stated


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
            "phantom/residual_unet), STUDY/GROUP/METHOD, or a file that `otosynth export` wrote."
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
        If the study is not finished, has no such group or method, a checkpoint is not the one that
        its training left, or the method cannot predict a CT by itself.
    """
    places = Places(results / name.study, data)
    root = read_root(places)
    # Where a study lay is no part of its records; the model needs no such key.
    study = load_study(root["configuration"])
    source = _Source(places, root, name, study, _method(study, name))
    members, weights = source.members()
    references = source.references()
    return TrainedModel(source.facts(members, references), weights, references)


@dataclass(frozen=True)
class _Source:
    """A method of a finished study, whose parts a model is made of."""

    places: Places
    root: Root
    name: ModelName
    study: Study
    method: Method

    @property
    def trained(self) -> str:
        """The block whose networks the method predicts with."""
        return self.study.methods[self.name.method].weights_of or self.name.method

    @property
    def seed(self) -> int:
        return self.study.training.seeds[0]

    @cached_property
    def trainings(self) -> dict[str, Record]:
        """The records of the trainings that are asked for, by group."""
        jobs = sorted(job for job in self.root["jobs"] if job.startswith("train/"))
        records = [read_record(record_path(self.places, job)) for job in jobs]
        mine = [record for record in records if self._trained_by(record["wildcards"])]
        return _chosen({record["wildcards"]["group"]: record for record in mine}, self.name)

    def _trained_by(self, wildcards: Mapping[str, str]) -> bool:
        return (wildcards["method"], wildcards["seed"]) == (self.trained, str(self.seed))

    def members(self) -> tuple[tuple[MemberFacts, ...], tuple[dict[str, Tensor], ...]]:
        """Return each group's training: its facts and its weights."""
        used = networks_used(self.method)
        found = [
            _member(self.places, record, used, self._temperature(record["wildcards"]["group"]))
            for record in self.trainings.values()
        ]
        return tuple(facts for facts, _ in found), tuple(weights for _, weights in found)

    def _temperature(self, group: str) -> float:
        """Return what the confidence of a group's training is scaled by; 1: by nothing."""
        folder = self.places.results / "training" / group / self.name.method
        path = folder / f"seed-{self.seed}" / "temperature.json"
        if not self.method.settings.gives_confidence or not path.is_file():
            return 1.0
        return float(json.loads(path.read_text(encoding="utf-8"))["temperature"])

    def references(self) -> tuple[Reference, ...]:
        """Return the training ears of the groups, each once."""
        mirrored: dict[str, bool] = {}
        for record in self.trainings.values():
            parameters = record["parameters"]
            ears = parameters["fold"]["training"]
            mirrored |= {ear: parameters["mirrored"][ear] for ear in ears}
        settings = self.method.settings
        return tuple(
            _reference(self.places, ear, mirrored[ear], settings.factor, settings.prior_kind)
            for ear in sorted(mirrored)
        )

    def facts(
        self, members: tuple[MemberFacts, ...], references: tuple[Reference, ...]
    ) -> ModelFacts:
        """Return all that the model is but its weights and its coarse CTs."""
        study = self.study
        return ModelFacts(
            study=self.root["study"],
            label=self.root["label"],
            source=study.data.source,
            root=self.root["root"],
            method=self.name.method,
            settings=self.method.settings.model_dump(mode="json"),
            classmap=study.classmap.model_dump(mode="json"),
            patch_size=study.patches.size,
            threads=study.training.threads,
            working_side=study.data.working_side,
            members=members,
            references=tuple(reference.facts for reference in references),
            dice=_dice(self.places, self.name, set(self.trainings)),
            atlas=study.atlas.model_dump(mode="json") if self.method.settings.prior_kind else None,
        )


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
    return create_method(settings)


def _chosen(trainings: dict[str, Record], name: ModelName) -> dict[str, Record]:
    """Return the trainings of a name's group, or of all."""
    if name.group is None:
        return trainings
    if name.group not in trainings:
        raise InputError(
            f"The study {name.study} has no group '{name.group}' of {name.method}. It has: "
            f"{', '.join(trainings)}."
        )
    return {name.group: trainings[name.group]}


def _member(
    places: Places, record: Record, used: tuple[str, ...], temperature: float
) -> tuple[MemberFacts, dict[str, Tensor]]:
    group, trained, seed = (record["wildcards"][key] for key in ("group", "method", "seed"))
    folder = places.results / "training" / group / trained / f"seed-{seed}"
    selected = folder / "selected.json"
    if not selected.is_file():
        raise InputError(f"{selected}: missing; run the study to its end.")
    checkpoint = selected_checkpoint(folder / "checkpoints", selected)
    fold = record["parameters"]["fold"]
    windows = Normalisation.read(places.results / "groups" / group / "normalisation.json")
    facts, weights = member_of(
        checkpoint, group, int(seed), fold["training"], fold["validation"], windows, used,
        temperature,
    )  # fmt: skip
    if facts.checkpoint_sha256 != record["outputs"][places.name_of(checkpoint)]["sha256"]:
        raise InputError(
            f"{checkpoint}: not the file that its training left; `otosynth audit verify` lists "
            "all that was changed."
        )
    return facts, weights


def _reference(
    places: Places, ear: str, mirrored: bool, factor: int, prior: PriorKind | None
) -> Reference:
    """Return a training ear of a study."""
    folder = places.results / "specimens" / ear
    of_prior = None
    if prior is not None:
        name = "classmap" if prior == "classes" else "microct"
        of_prior = read_atlas(folder, [name], mirrored=False)[name]
    return reference_of(
        ear,
        read_volume(folder / "ct.nii"),
        read_labels(folder / "mask.nii"),
        read_transform(folder / "registration/transform.tfm"),
        mirrored,
        factor,
        hu_percentiles(map_voxels(folder / "ct.nii"), map_voxels(folder / "mask.nii")),
        _raw_spacing(places, ear),
        of_prior,
    )


def _raw_spacing(places: Places, ear: str) -> Triple | None:
    """Return the voxel size of a CT as it was scanned, where the raw scan is there."""
    record = read_record(record_path(places, f"register_pair/{ear}"))
    parameters = record["parameters"]
    path = places.path_of(str(parameters["ct"]))
    if not path.exists():
        return None
    # Records of earlier studies state nothing.
    stated = Stated.parse(parameters.get("stated", {}).get("ct", ""))
    return read_scan_header(path, stated).grid.spacing_mm


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
