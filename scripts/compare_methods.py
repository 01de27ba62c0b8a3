"""Paired differences of every method to the reference, as a table and as Figure 9."""

import pandas as pd

from otosynth.figures.differences import draw_differences
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.statistics import (
    DICE_METRICS,
    caveat,
    known_metrics,
    paired_comparison,
    paired_differences,
)
from otosynth.tables import write_with_digest

with job(snakemake) as recorder:
    params = snakemake.params
    scores = pd.read_csv(snakemake.input.scores)
    metrics = known_metrics(scores, DICE_METRICS)
    resamples = params.statistics["resamples"]
    comparison = pd.concat(
        paired_comparison(scores, params.reference, metric, resamples=resamples, seed=params.seed)
        for metric in metrics
    )
    write_with_digest(
        comparison.assign(study=params.study, label=params.label),
        snakemake.output.table,
        recorder.digest,
    )
    ears = pd.concat(paired_differences(scores, params.reference, m) for m in metrics)
    note = caveat(scores, params.titles[params.reference])
    figure = draw_differences(comparison, params.titles, params.label, ears, note)
    files = [snakemake.output.png, snakemake.output.pdf]
    write_figure(figure, files, params.figures["dpi"], recorder.digest)
