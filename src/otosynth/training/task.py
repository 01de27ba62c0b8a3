"""One training as plain data, run by one process or by several that torch launches."""

import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from otosynth.configuration.methods import method_settings
from otosynth.configuration.training import TrainingSettings
from otosynth.files import write_csv, write_json
from otosynth.methods import create_method
from otosynth.methods.base import Method
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs
from otosynth.seeds import derive_seed
from otosynth.training.arithmetic import Arithmetic, resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import CHECKPOINTS, load_trained
from otosynth.training.state import state_folder
from otosynth.training.team import Team
from otosynth.training.trainer import Job, Trainer
from otosynth.volumes.mapping import voxel_mm

logger = logging.getLogger(__name__)

HISTORY = "history.tsv"
TENSORBOARD = "tensorboard"


@dataclass(frozen=True)
class TrainingTask:
    """A method's training on a group with a seed: all that it reads, as plain data.

    Attributes
    ----------
    method, group, seed
        Which training; ``seed`` is the one that tells repeated trainings apart.
    study_seed
        The study's seed, from which all others derive.
    settings, training
        The method's block of the configuration and the section ``training``.
    pairs, mirrored
        Files of the pairs, and which ears are not of the working side.
    training_table, validation_table, normalisation
        Files of the patch tables and of the intensity windows.
    code
        Digests of the files of code that decide the result.
    fold
        Split (training, validation) to its specimens, each with the digest of its pair; the
        checkpoints carry it.
    priors
        Files of the ears' priors, for a method that has one.
    required
        Blocks whose selected networks the training needs, each with the ``settings`` of its block
        and the ``checkpoint``.
    """

    method: str
    group: str
    seed: int
    study_seed: int
    settings: dict[str, Any]
    training: dict[str, Any]
    pairs: tuple[str, ...]
    mirrored: dict[str, bool]
    training_table: str
    validation_table: str
    normalisation: str
    code: dict[str, str]
    fold: dict[str, dict[str, str]]
    priors: tuple[str, ...] = ()
    required: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The training in words."""
        return f"{self.method}, group {self.group}, seed {self.seed}"

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return TrainingSettings(**self.training).processes

    def open_state(self, root: Path) -> Path:
        """Return the folder of this training's state below ``.state/<study>``."""
        # How often the state is saved changes no result.
        training = {k: v for k, v in self.training.items() if k not in ("state_minutes", "seeds")}
        decisions = asdict(self) | {"training": training}
        checkpoints = [block["checkpoint"] for block in self.required.values()]
        tables = (self.training_table, self.validation_table, self.normalisation)
        inputs = (*self.pairs, *self.priors, *tables, *checkpoints)
        return state_folder(root, self.title, decisions, inputs)

    def write(self, path: Path) -> None:
        """Write the task as JSON, for the processes that torch launches."""
        write_json(asdict(self), path)

    @classmethod
    def read(cls, path: Path) -> "TrainingTask":
        """Read what ``write`` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**data | {name: tuple(data[name]) for name in ("pairs", "priors")})


def train_task(task: TrainingTask, folder: Path, team: Team) -> None:
    """Train in this process, alone or as one of a team, to the last epoch.

    Parameters
    ----------
    folder
        The task's state folder; checkpoints, TensorBoard files and the history are there
        afterwards.

    Raises
    ------
    InputError, Stopped
        As ``Trainer.train``.
    """
    settings = TrainingSettings(**task.training)
    method = create_method(method_settings(task.method, task.settings))
    arithmetic = resolve_arithmetic(settings.device, settings.precision, settings.threads)
    attach_required(method, task.required, arithmetic)
    method.voxel_mm = voxel_mm(Path(task.pairs[0]))
    normalisation = Normalisation.read(Path(task.normalisation))
    pairs = open_pairs(task.pairs, task.mirrored, task.priors)
    training, validation = (
        PatchReader(pd.read_csv(table, sep="\t"), pairs, normalisation, arithmetic)
        for table in (task.training_table, task.validation_table)
    )
    logger.info("%s: %s", task.title, arithmetic.describe())
    seed = derive_seed(task.study_seed, "training", task.group, task.method, task.seed)
    job = Job(
        task.title, seed, folder, settings.state_minutes, task.fold,
        settings.petaflop, settings.patience, settings.recompute,
    )  # fmt: skip
    history = Trainer(method, training, validation, arithmetic, job, team).train()
    if team.leads:
        write_csv(history, folder / HISTORY)


def attach_required(
    method: Method, required: Mapping[str, Mapping[str, Any]], arithmetic: Arithmetic
) -> None:
    """Give a method the selected networks of other blocks that its training needs, frozen.

    Parameters
    ----------
    required
        As in ``TrainingTask``.

    Raises
    ------
    InputError
        If a checkpoint is missing, damaged or of other networks.
    """
    for name, block in required.items():
        lender = create_method(method_settings(name, block["settings"]))
        networks = load_trained(lender, Path(block["checkpoint"]), arithmetic)
        for network in networks.values():
            network.requires_grad_(False)
        method.required[name] = networks


def publish(folder: Path, outputs: Mapping[str, str]) -> None:
    """Link a finished training's files from its state folder into the results.

    Hard links where the file system allows them, copies elsewhere; the state folder keeps its
    files, so that work is not lost if a workflow is stopped before it notes the end.

    Parameters
    ----------
    outputs
        Where ``checkpoints``, ``tensorboard`` (folders) and ``history`` (a file) go.
    """
    for name in (CHECKPOINTS, TENSORBOARD):
        target = Path(outputs[name])
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for file in sorted((folder / name).iterdir()):
            _link(file, target / file.name)
    _link(folder / HISTORY, Path(outputs["history"]))


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
