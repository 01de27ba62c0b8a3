"""Histogram of a micro-CT with its thresholds."""

import json
from pathlib import Path

from otosynth.classmap import histogram
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.figures.histogram import draw_histogram
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.volumes.mapping import map_voxels

with job(snakemake) as recorder:
    settings = ClassMapSettings(**snakemake.params.classmap)
    found = json.loads(Path(snakemake.input.thresholds).read_text())
    microct = map_voxels(Path(snakemake.input.microct))
    figure = draw_histogram(
        histogram(microct, settings, map_voxels(Path(snakemake.input.mask))),
        tuple(found["thresholds"]),
        found["fraction"],
        settings.logarithmic,
        snakemake.wildcards.specimen,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
