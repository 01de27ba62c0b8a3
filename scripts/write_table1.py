"""Table 1 of the thesis, regenerated."""

from otosynth.jobs import job
from otosynth.tables import table1, write_table

with job(snakemake) as recorder:
    write_table(
        table1(snakemake.params.groups), snakemake.params.label, snakemake.output, recorder.digest
    )
