"""Figure 8: micro-CTs, class maps and errors of every method on one tested ear."""

from pathlib import Path

import pandas as pd

from otosynth.figures.comparison import Result, draw_comparison
from otosynth.figures.slices import on_grid
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pair
from otosynth.tissues import CLASSES
from otosynth.volumes import read_labels, read_volume, spacing_zyx

with job(snakemake.log[0]):
    specimen = snakemake.params.specimen
    folder = Path(snakemake.input.pair[0]).parent
    reference = read_volume(folder / "mask.nii")
    dice = pd.read_csv(snakemake.input.dice).query("specimen == @specimen")
    microcts = iter(snakemake.input.microcts)
    results = []
    for (name, title), file in zip(
        snakemake.params.titles.items(), snakemake.input.classmaps, strict=True
    ):
        rows = dice[dice["method"] == name].set_index("class")["dice"]
        results.append(
            Result(
                title,
                None if name == "atlas" else on_grid(read_volume(Path(next(microcts))), reference),
                on_grid(read_labels(Path(file)), reference),
                [rows[tissue] for tissue in CLASSES],
            )
        )
    figure = draw_comparison(
        open_pair(folder, mirrored=False),
        spacing_zyx(reference),
        results,
        Normalisation.read(Path(snakemake.input.normalisation)),
        specimen,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"])
