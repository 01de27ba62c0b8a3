"""A finished study so small that it trains in seconds, and a CT that it has never seen."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from otosynth.checking.study_check import read_configuration
from otosynth.configuration.methods import method_settings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.configuration.study import load_study
from otosynth.files import sha256_of, write_bytes, write_csv, write_json
from otosynth.normalisation import Normalisation, Window
from otosynth.pairs import VOLUMES, open_pair
from otosynth.patches import patch_table
from otosynth.phantom import PhantomEar, make_ear
from otosynth.prediction.model import TrainedModel
from otosynth.prediction.of_study import ModelName, read_study_model
from otosynth.provenance.places import Places
from otosynth.provenance.tree import record_path, seal
from otosynth.registration.overlap import field_of_view_mask, resample_onto
from otosynth.registration.transforms import write_transform
from otosynth.training.task import TrainingTask, publish, train_task
from otosynth.training.team import Team
from otosynth.volumes.grids import Grid
from otosynth.volumes.writing import write_volume

ROOT = Path(__file__).parents[2]
SCALE = PhantomSettings(spacing_mm=0.5, size_mm=14.0, ct_spacing_mm=0.6, ct_size_mm=18.0)
SIDES = {"T1": "right", "T2": "left"}
FOLDS = {"A": "T1", "B": "T2"}
METHOD = {
    "title": "Multi-task",
    "module": "multi_task",
    "width": 4,
    "residual_blocks": 1,
    "norm": "layer",
    "discriminator_blocks": 2,
    "loss_weights": {"adversarial": 0, "weighted_l1": 5, "perception": 0, "dice": 10},
    "epochs": 2,
    "constant_epochs": 1,
    # As few steps as put what is predicted where it is: after 60 it lies half a voxel aside.
    "steps_per_epoch": 200,
    "checkpoint_every": 1,
    "learning_rate": 0.01,
}


def write_record(
    results: Path, job: str, wildcards: dict, parameters: dict, outputs: Iterable[Path] = ()
) -> None:
    """Write what a model reads of a job's record: parameters, and the digests of its results."""
    places = Places(results)
    made = {
        places.name_of(path): {"sha256": sha256_of(path), "md5": "", "bytes": path.stat().st_size}
        for path in outputs
    }
    rule = job.split("/", maxsplit=1)[0]
    record = {
        "format": 1, "job": rule, "rule": rule, "wildcards": wildcards, "inputs": {},
        "outputs": made, "roles": {}, "configuration": {}, "parameters": parameters, "seeds": {},
        "code": {}, "lock": "",
    }  # fmt: skip
    write_json(record, record_path(places, job))


def write_pair(ear: PhantomEar, results: Path) -> None:
    """Write what registration and class map leave of an ear; its pose is the exact one."""
    folder = results / "specimens" / ear.specimen
    write_volume(ear.ct, results / f"phantom/{ear.specimen}/ct.nii.gz")
    write_volume(resample_onto(ear.ct, ear.pose, Grid.of(ear.microct), -1000.0), folder / "ct.nii")
    write_volume(field_of_view_mask(ear.ct, ear.pose, Grid.of(ear.microct)), folder / "mask.nii")
    write_volume(ear.microct, folder / "microct.nii")
    write_volume(ear.labels, folder / "classmap.nii")
    write_volume(ear.labels * 0, folder / "cochlea.nii")
    write_transform(ear.pose, folder / "registration/transform.tfm")
    parameters = {"ct": f"phantom/{ear.specimen}/ct.nii.gz"}
    write_record(results, f"register_pair/{ear.specimen}", {"specimen": ear.specimen}, parameters)


def train(results: Path, group: str, ear: str) -> None:
    """Train on one ear, as the workflow does."""
    specimen, mirrored = results / "specimens" / ear, {ear: SIDES[ear] == "left"}
    table = results / f"groups/{group}/patches.tsv"
    write_csv(patch_table({ear: open_pair(specimen, mirrored[ear])}, 16, 8), table)
    windows = results / f"groups/{group}/normalisation.json"
    Normalisation(Window(-1000, 2500), Window(0, 0.065), (ear,)).write(windows)
    fold = {"training": {ear: "digest"}, "validation": {ear: "digest"}}
    settings = method_settings("multi_task", METHOD).model_dump(mode="json", exclude={"title"})
    task = TrainingTask(
        method="multi_task",
        group=group,
        seed=1,
        study_seed=1,
        settings=settings,
        training={"threads": 1, "device": "cpu", "precision": "float32"},
        pairs=tuple(str(specimen / f"{n}.nii") for n in VOLUMES),
        mirrored=mirrored,
        training_table=str(table),
        validation_table=str(table),
        normalisation=str(windows),
        code={},
        fold=fold,
    )
    state = task.open_state(results.parent / "state")
    train_task(task, state, Team())
    folder = results / f"training/{group}/multi_task/seed-1"
    places = {name: str(folder / name) for name in ("checkpoints", "tensorboard")}
    publish(state, places | {"history": str(folder / "history.tsv")})
    selected = {"epoch": 2, "checkpoint": "epoch-0002.safetensors"}
    write_json(selected, folder / "selected.json")
    parameters = {"fold": {n: list(v) for n, v in fold.items()}, "mirrored": mirrored}
    wildcards = {"group": group, "method": "multi_task", "seed": "1"}
    checkpoints = sorted((folder / "checkpoints").iterdir())
    write_record(results, f"train/{group}-multi_task-1", wildcards, parameters, checkpoints)


def finish(results: Path) -> None:
    """Seal the records, and write the scores as far as a model reads them."""
    keys = read_configuration([], ROOT / "config.yaml")
    cg_samr = {"title": "CG-SAMR", "module": "cg_samr", "discriminator_blocks": 2}
    keys |= {"study": "tiny", "label": "phantom, tiny", "phantom": SCALE.model_dump()}
    keys |= {"methods": {"multi_task": METHOD, "cg_samr": cg_samr}}
    keys["patches"] |= {"size": 16, "overlap": 8}
    facts = {
        "study": "tiny",
        "label": "phantom, tiny",
        "configuration": load_study(keys).model_dump(mode="json"),
    }
    checkpoints = (results / "training").rglob("epoch-*.safetensors")
    seal(Places(results), map(str, checkpoints), [], facts)
    header = "study,label,seed,group,specimen,method,grid,class,metric,value\n"
    rows = "".join(
        f"tiny,phantom,1,{group},T9,multi_task,microct,{tissue},dice,0.{n}\n"
        for group in FOLDS
        for n, tissue in enumerate(("air", "soft", "bone"), start=5)
    )
    write_bytes(results / "tables/scores.csv", (header + rows).encode())


@pytest.fixture(scope="session")
def studies(tmp_path_factory) -> Path:
    """The folder of all studies: one, ``tiny``."""
    results = tmp_path_factory.mktemp("studies") / "results"
    for name, side in SIDES.items():
        write_pair(make_ear(name, side, SCALE, 1), results / "tiny")
    for group, ear in FOLDS.items():
        train(results / "tiny", group, ear)
    finish(results / "tiny")
    return results


@pytest.fixture(scope="session")
def model(studies) -> TrainedModel:
    return read_study_model(ModelName.parse("tiny/multi_task"), studies)


@pytest.fixture(scope="session")
def new_ear() -> PhantomEar:
    return make_ear("T3", "right", SCALE, 1)
