"""One row a specimen: thresholds, class fractions and, on the phantom, Dice against the truth."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.tables import rows_from_json, write_with_digest

with job(snakemake) as recorder:
    table = rows_from_json(
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.specimens,
        [Path(path) for path in snakemake.input.thresholds],
        [Path(path) for path in snakemake.input.scores],
    )
    write_with_digest(table, snakemake.output[0], recorder.digest)
