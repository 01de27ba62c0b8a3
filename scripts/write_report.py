"""Write the report of the study, once the root of all records is there."""

from pathlib import Path

from otosynth.jobs import logged
from otosynth.provenance.places import places_of
from otosynth.reporting.page import write_report

with logged(snakemake.log[0]) as logger:
    size = write_report(
        places_of(snakemake.config),
        Path(snakemake.output[0]),
        Path(snakemake.input.published),
        Path(snakemake.input.captions[0]).parent,
    )
    logger.info("%s has %.1f MB", snakemake.output[0], size / 1e6)
