"""Figure 1: CT, micro-CT and class map of one ear."""

from pathlib import Path

from otosynth.figures.pair import draw_pair
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pair
from otosynth.volumes.itk_io import read_grid

with job(snakemake) as recorder:
    folder = Path(snakemake.input.pair[0]).parent
    figure = draw_pair(
        open_pair(folder, mirrored=False),
        read_grid(folder / "mask.nii").spacing_zyx,
        Normalisation.read(Path(snakemake.input.normalisation)),
        snakemake.params.specimen,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
