"""How far the confidence of sampled predictions can be trusted: a table and Figure 10."""

from pathlib import Path

import numpy as np
import pandas as pd

from otosynth.calibration import calibration_table
from otosynth.figures.calibration import draw_calibration
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.tables import write_with_digest
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.reading import read_volume


def read_flat(path, reader):
    """Read a volume as one row of voxels, so that ears of any size can be put together."""
    return array_of(reader(Path(path))).ravel()


with job(snakemake) as recorder:
    files, params = snakemake.input, snakemake.params
    tables = {}
    for method, title in params.titles.items():
        columns = [
            np.concatenate([read_flat(path, reader) for path in files[f"{method}_{name}"]])
            for name, reader in (
                ("confidence", read_volume),
                ("classmap", read_labels),
                ("truth", read_labels),
                ("mask", read_labels),
            )
        ]
        confidence, predicted, truth, mask = columns
        tables[title] = calibration_table(confidence, predicted == truth, mask > 0)
    table = pd.concat(
        [t.assign(method=title) for title, t in tables.items()], ignore_index=True
    ).assign(study=params.study, label=params.label)
    write_with_digest(table, snakemake.output.table, recorder.digest)
    figure = draw_calibration(tables, params.label)
    pictures = [snakemake.output.png, snakemake.output.pdf]
    write_figure(figure, pictures, params.figures["dpi"], recorder.digest)
