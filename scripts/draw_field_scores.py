"""Figure 11: the electric field by every method against that by the micro-CT's class map."""

import pandas as pd

from otosynth.figures.field_scores import draw_field_scores
from otosynth.figures.style import write_figure
from otosynth.jobs import job

with job(snakemake) as recorder:
    figure = draw_field_scores(
        pd.read_csv(snakemake.input.scores), snakemake.params.titles, snakemake.params.label
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
