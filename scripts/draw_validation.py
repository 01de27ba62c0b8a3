"""Figure 6: validation curves of every method and group."""

import json
from pathlib import Path

import pandas as pd

from otosynth.configuration.methods import method_settings
from otosynth.figures.style import write_figure
from otosynth.figures.validation import Curve, draw_validation, score_parts
from otosynth.jobs import job
from otosynth.methods import create_method

with job(snakemake) as recorder:
    files = iter(zip(snakemake.input.validation, snakemake.input.selected, strict=True))
    curves = {}
    for name, keys in snakemake.params.methods.items():
        settings = method_settings(name, keys)
        method = create_method(settings)
        curves[settings.title] = []
        for group in snakemake.params.groups:
            validation_file, selected_file = next(files)
            validation = pd.read_csv(validation_file, sep="\t")
            epoch = json.loads(Path(selected_file).read_text())["epoch"]
            parts = score_parts(method, validation)
            curves[settings.title].append(Curve(group, validation, parts, epoch))
    figure = draw_validation(curves, snakemake.params.label)
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
