"""Overlay of a registered pair and the trace of its metric."""

from pathlib import Path

import pandas as pd

from otosynth.figures.registration import draw_registration
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.volumes.itk_io import read_grid
from otosynth.volumes.mapping import map_voxels

with job(snakemake) as recorder:
    ct, microct, mask = (
        map_voxels(Path(snakemake.input[name])) for name in ("ct", "microct", "mask")
    )
    figure = draw_registration(
        ct,
        microct,
        mask,
        pd.read_csv(snakemake.input.trace, sep="\t"),
        read_grid(Path(snakemake.input.mask)).spacing_zyx,
        tuple(snakemake.params.ct_window_hu),
        snakemake.wildcards.specimen,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
