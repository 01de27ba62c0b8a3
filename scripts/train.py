"""Train one method on one group; continues where a stopped job left off."""

from pathlib import Path

import pandas as pd

from otosynth.configuration.methods import MethodSettings, TrainingSettings
from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs
from otosynth.seeds import derive_seed
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.state import state_folder
from otosynth.training.trainer import Job, Trainer, fullest_patch, publish

with job(snakemake.log[0]):
    group, name, seed = (snakemake.wildcards[key] for key in ("group", "method", "seed"))
    # How often the state is saved changes no result, so it is no parameter of the rule.
    state_minutes = snakemake.config["training"]["state_minutes"]
    settings = TrainingSettings(**snakemake.params.training, state_minutes=state_minutes)
    method = create_method(name, MethodSettings(title=name, **snakemake.params.method))
    arithmetic = resolve_arithmetic(settings.device, settings.precision, settings.threads)
    normalisation = Normalisation.read(Path(snakemake.input.normalisation))
    pairs = open_pairs(snakemake.input.pairs, snakemake.params.mirrored)
    training, validation = (
        PatchReader(pd.read_csv(snakemake.input[split], sep="\t"), pairs, normalisation, arithmetic)
        for split in ("training", "validation")
    )
    decided_by = [
        *snakemake.input.pairs,
        snakemake.input.training,
        snakemake.input.validation,
        snakemake.input.normalisation,
    ]
    decisions = dict(snakemake.params.items()) | dict(snakemake.wildcards.items())
    folder = state_folder(
        Path(snakemake.config["state"]) / snakemake.config["study"], decisions, decided_by
    )
    trainer = Trainer(
        method,
        training,
        validation.read(fullest_patch(validation.table)),
        arithmetic,
        Job(
            f"{name}, group {group}, seed {seed}",
            derive_seed(snakemake.params.seed, "training", group, name, seed),
            folder,
            settings.state_minutes,
        ),
    )
    history = trainer.train()
    publish(folder, Path(snakemake.output.checkpoints), Path(snakemake.output.tensorboard))
    write_csv(history, snakemake.output.history)
