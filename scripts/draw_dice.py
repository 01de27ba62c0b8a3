"""Figure 7: boxplots of Dice, with the published medians beside, or of another metric."""

import pandas as pd

from otosynth.cochlea import read_sources, told
from otosynth.figures.dice import draw_dice
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.metric_registry import Subject, drawn_with, metric_of
from otosynth.statistics import ear_values, known_metrics

with job(snakemake) as recorder:
    published = pd.read_csv(snakemake.input.published).query("quantity == 'median_dice'")
    scores = pd.read_csv(snakemake.input.scores)
    drawn = drawn_with(snakemake.params.figures["metric"])
    at_cochlea = any(metric_of(name).subject is Subject.COCHLEA for name in drawn)
    values = pd.concat(
        ear_values(scores, metric).assign(metric=metric) for metric in known_metrics(scores, drawn)
    )
    figure = draw_dice(
        values,
        published,
        snakemake.params.titles,
        snakemake.params.label,
        told(read_sources(snakemake.params.ears, snakemake.input.regions)) if at_cochlea else "",
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
