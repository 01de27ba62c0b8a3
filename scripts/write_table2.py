"""Table 2 of the thesis, regenerated."""

from otosynth.jobs import job
from otosynth.tables import table2, write_table

with job(snakemake) as recorder:
    table = table2(
        dict(zip(map(tuple, snakemake.params.runs), snakemake.input.selected, strict=True)),
        snakemake.params.titles,
        snakemake.input.published,
    )
    write_table(table, snakemake.params.label, snakemake.output, recorder.digest)
