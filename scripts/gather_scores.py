"""All scores in one long table, and its views."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.scores import (
    cochlear_dice_view,
    dice_view,
    gather,
    perceptual_error_view,
    with_kind,
)
from otosynth.tables import write_with_digest

with job(snakemake) as recorder:
    scores = gather(
        [Path(path) for path in (*snakemake.input.scores, *snakemake.input.fields)],
        snakemake.params.study,
        snakemake.params.label,
        snakemake.params.group_of,
    )
    for table, path in (
        (scores, snakemake.output.scores),
        (dice_view(scores), snakemake.output.dice),
        (cochlear_dice_view(scores), snakemake.output.cochlear_dice),
        (perceptual_error_view(scores), snakemake.output.perceptual_error),
    ):
        write_with_digest(with_kind(table), path, recorder.digest)
