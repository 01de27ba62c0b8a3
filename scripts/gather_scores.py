"""All scores in one long table, and its views."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.scores import dice_view, gather, perceptual_error_view

with job(snakemake.log[0]):
    scores = gather(
        [Path(path) for path in snakemake.input.scores],
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.group_of,
    )
    scores.to_csv(snakemake.output.scores, index=False)
    dice_view(scores).to_csv(snakemake.output.dice, index=False)
    perceptual_error_view(scores).to_csv(snakemake.output.perceptual_error, index=False)
