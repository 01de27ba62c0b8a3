"""Figures 3 and 4: networks and losses of a method, as configured."""

from otosynth.configuration.methods import method_settings
from otosynth.figures.framework import draw_framework
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.methods import create_method

with job(snakemake) as recorder:
    name = snakemake.params.name
    settings = method_settings(name, snakemake.params.method)
    figure = draw_framework(
        create_method(settings),
        name,
        settings.title,
        snakemake.params.patch_size,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
