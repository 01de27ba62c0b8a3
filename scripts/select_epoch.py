"""Select the epoch that scored best on the validation ear."""

from pathlib import Path

import pandas as pd

from otosynth.files import write_csv, write_json
from otosynth.jobs import job
from otosynth.selection import select_epoch, validation_table
from otosynth.training.checkpoints import checkpoint_name

with job(snakemake):
    validation = validation_table(pd.read_csv(snakemake.input.history, sep="\t"))
    write_csv(validation, snakemake.output.validation)
    epoch = select_epoch(validation, snakemake.params.first_epoch)
    write_json(
        {"epoch": epoch, "checkpoint": checkpoint_name(epoch)}, Path(snakemake.output.selected)
    )
