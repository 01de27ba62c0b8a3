"""All scores in one long table, and its views."""

from pathlib import Path

from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.scores import dice_view, gather, perceptual_error_view

with job(snakemake.log[0]):
    scores = gather(
        [Path(path) for path in snakemake.input.scores],
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.group_of,
    )
    write_csv(scores, snakemake.output.scores)
    write_csv(dice_view(scores), snakemake.output.dice)
    write_csv(perceptual_error_view(scores), snakemake.output.perceptual_error)
