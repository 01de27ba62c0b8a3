"""One row a specimen: how its CT was registered and how well."""

from pathlib import Path

from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.tables import rows_from_json

with job(snakemake.log[0]):
    table = rows_from_json(
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.specimens,
        [Path(path) for path in snakemake.input.summaries],
        [Path(path) for path in snakemake.input.target_errors],
    )
    write_csv(table, snakemake.output[0])
