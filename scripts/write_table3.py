"""Table 3 of the thesis, regenerated."""

from otosynth.jobs import job
from otosynth.tables import table3, write_table

with job(snakemake) as recorder:
    table = table3(snakemake.input.scores, snakemake.params.titles, snakemake.input.published)
    write_table(table, snakemake.params.label, snakemake.output, recorder.digest)
