"""How far the confidence of predictions can be trusted: two tables and Figure 10."""

from pathlib import Path

import numpy as np
import pandas as pd

from otosynth.calibration import border_radius_mm, calibration_table, reliability
from otosynth.figures.calibration import draw_calibration
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.metrics import near_class_borders
from otosynth.tables import write_with_digest
from otosynth.volumes.arrays import array_of, read_labels, spacing_zyx
from otosynth.volumes.reading import read_volume


def read_ear(confidence, classmap, truth, mask):
    """Read one prediction inside the mask: confidence, whether it is right, near a border."""
    image = read_labels(Path(truth))
    true, inside = array_of(image), array_of(read_labels(Path(mask))) > 0
    spacing = spacing_zyx(image)
    near = near_class_borders(true, inside, border_radius_mm(spacing), spacing)
    predicted, sure = array_of(read_labels(Path(classmap))), array_of(read_volume(Path(confidence)))
    return [values[inside] for values in (sure, predicted == true, near)]


with job(snakemake) as recorder:
    files, params = snakemake.input, snakemake.params
    tables, summaries = {}, []
    for method, title in params.titles.items():
        names = ("confidence", "classmap", "truth", "mask")
        ears = [
            read_ear(*of_ear)
            for of_ear in zip(*(files[f"{method}_{name}"] for name in names), strict=True)
        ]
        # In one row, so that ears of any size can be put together.
        confidence, correct, near = (np.concatenate(of_all) for of_all in zip(*ears, strict=True))
        tables[title] = calibration_table(confidence, correct, np.ones_like(correct))
        summaries.append(reliability(confidence, correct, near).assign(method=title))

    def write(parts, path):
        """Write the methods' tables as one."""
        table = pd.concat(parts, ignore_index=True).assign(study=params.study, label=params.label)
        write_with_digest(table, path, recorder.digest)

    write([table.assign(method=title) for title, table in tables.items()], snakemake.output.table)
    write(summaries, snakemake.output.summary)
    figure = draw_calibration(tables, params.label)
    pictures = [snakemake.output.png, snakemake.output.pdf]
    write_figure(figure, pictures, params.figures["dpi"], recorder.digest)
