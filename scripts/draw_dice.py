"""Figure 7: Dice boxplots with the published medians beside."""

import pandas as pd

from otosynth.cochlea import read_sources, told
from otosynth.figures.dice import draw_dice
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.statistics import DICE_METRICS, ear_values, known_metrics

with job(snakemake) as recorder:
    published = pd.read_csv(snakemake.input.published).query("quantity == 'median_dice'")
    scores = pd.read_csv(snakemake.input.scores)
    values = pd.concat(
        ear_values(scores, metric).assign(metric=metric)
        for metric in known_metrics(scores, DICE_METRICS)
    )
    figure = draw_dice(
        values,
        published,
        snakemake.params.titles,
        snakemake.params.label,
        told(read_sources(snakemake.params.ears, snakemake.input.regions)),
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
