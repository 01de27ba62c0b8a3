"""One row a specimen: how its CT was registered and how well."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.tables import rows_from_json, write_with_digest

with job(snakemake) as recorder:
    table = rows_from_json(
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.specimens,
        [Path(path) for path in snakemake.input.summaries],
        [Path(path) for path in snakemake.input.target_errors],
    )
    write_with_digest(table, snakemake.output[0], recorder.digest)
