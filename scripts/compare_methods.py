"""Paired differences of every method to the reference, as a table and as Figure 9."""

import pandas as pd

from otosynth.figures.differences import draw_differences
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.metric_registry import drawn_with
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

    def compare(metrics):
        """Compare all methods with the reference by some metrics."""
        options = {"resamples": params.statistics["resamples"], "seed": params.seed}
        return pd.concat(paired_comparison(scores, params.reference, m, **options) for m in metrics)

    table = compare(known_metrics(scores, DICE_METRICS))
    write_with_digest(
        table.assign(study=params.study, label=params.label),
        snakemake.output.table,
        recorder.digest,
    )
    drawn = known_metrics(scores, drawn_with(params.figures["metric"]))
    ears = pd.concat(paired_differences(scores, params.reference, metric) for metric in drawn)
    note = caveat(scores, params.titles[params.reference], drawn)
    figure = draw_differences(compare(drawn), params.titles, params.label, ears, note)
    files = [snakemake.output.png, snakemake.output.pdf]
    write_figure(figure, files, params.figures["dpi"], recorder.digest)
