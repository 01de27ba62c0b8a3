"""Figure 7: Dice boxplots with the published medians beside."""

import pandas as pd

from otosynth.cochlea import read_sources, told
from otosynth.figures.dice import draw_dice
from otosynth.figures.style import write_figure
from otosynth.jobs import job

with job(snakemake) as recorder:
    published = pd.read_csv(snakemake.input.published).query("quantity == 'median_dice'")
    figure = draw_dice(
        pd.read_csv(snakemake.input.dice),
        published,
        snakemake.params.titles,
        snakemake.params.label,
        pd.read_csv(snakemake.input.cochlear),
        told(read_sources(snakemake.params.ears, snakemake.input.regions)),
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
