"""Figure 12: the field round the array by every method, and where it depends on the map."""

from pathlib import Path

import pandas as pd

from otosynth.configuration.field import FieldSettings
from otosynth.field.model import ear_model, finer_labels, inside_of_truth
from otosynth.field.slices import FieldView
from otosynth.figures.field import draw_field
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.volumes.arrays import read_labels

with job(snakemake) as recorder:
    files, params = snakemake.input, snakemake.params
    settings = FieldSettings(**params.electric_field)
    electrodes = pd.read_csv(files.electrodes)
    truth, mask = read_labels(Path(files.truth)), read_labels(Path(files.mask))
    labels = finer_labels(read_labels(Path(files.structures))) if files.structures else None

    def model_of(classmap, name, **options):
        """Build the model of a class map of this ear."""
        return ear_model(classmap, electrodes, settings, name, labels=labels, **options)

    view = FieldView.of(model_of(truth, params.specimen))
    errors = {}
    for title, file in zip(params.titles.values(), files.classmaps, strict=True):
        classmap = inside_of_truth(read_labels(Path(file)), truth, mask)
        errors[title] = view.error_percent(model_of(classmap, title, is_truth=False))
    figure = draw_field(
        view.shown(errors), view.plane, params.specimen, view.contact + 1, params.label
    )
    write_figure(figure, snakemake.output, params.figures["dpi"], recorder.digest)
