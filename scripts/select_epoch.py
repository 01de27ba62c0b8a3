"""Score every saved epoch on the validation ear and select the best."""

from pathlib import Path

import pandas as pd

from otosynth.configuration.methods import method_settings
from otosynth.configuration.training import TrainingSettings
from otosynth.files import write_csv, write_json
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs
from otosynth.selection import select_epoch, validation_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import checkpoint_name, precision_of

with job(snakemake):
    name = snakemake.wildcards.method
    settings = TrainingSettings(**snakemake.params.training)
    method = create_method(method_settings(name, snakemake.params.method))
    checkpoints = sorted(Path(snakemake.input.checkpoints).glob("epoch-*.safetensors"))
    arithmetic = resolve_arithmetic(settings.device, precision_of(checkpoints), settings.threads)
    reader = PatchReader(
        pd.read_csv(snakemake.input.table, sep="\t"),
        open_pairs(snakemake.input.pairs, snakemake.params.mirrored, snakemake.input.priors),
        Normalisation.read(Path(snakemake.input.normalisation)),
        arithmetic,
    )
    validation = validation_table(method, checkpoints, reader)
    write_csv(validation, snakemake.output.validation)
    epoch = select_epoch(validation, method.settings.first_selectable_epoch)
    write_json(
        {"epoch": epoch, "checkpoint": checkpoint_name(epoch)}, Path(snakemake.output.selected)
    )
