"""Figure 8: micro-CTs, class maps and errors of every method on one tested ear."""

from pathlib import Path

import pandas as pd

from otosynth.figures.comparison import Result, draw_comparison, view_of
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pair
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import array_of, read_labels, spacing_zyx
from otosynth.volumes.grids import onto_grid
from otosynth.volumes.reading import read_volume


def cut(image):
    """Return the shown slice; nearest voxels, so that a coarser prediction looks as it is."""
    return view.cut(array_of(onto_grid(image, reference, interpolate=False)))


with job(snakemake) as recorder:
    specimen = snakemake.params.specimen
    folder = Path(snakemake.input.pair[0]).parent
    pair = open_pair(folder, mirrored=False)
    reference = read_volume(folder / "mask.nii")
    view = view_of(pair, spacing_zyx(reference))
    dice = pd.read_csv(snakemake.input.dice).query("specimen == @specimen")
    microcts = dict(zip(snakemake.params.with_microct, snakemake.input.microcts, strict=True))
    classmaps = dict(zip(snakemake.params.titles, snakemake.input.classmaps, strict=True))
    results = []
    for name, title in snakemake.params.titles.items():
        microct = None
        if name in microcts:
            microct = cut(read_volume(Path(microcts[name])))
        classmap = cut(read_labels(Path(classmaps[name])))
        scores = dice[dice["method"] == name].set_index("class")["dice"]
        results.append(Result(title, microct, classmap, [scores[tissue] for tissue in CLASSES]))
    windows = Normalisation.read(Path(snakemake.input.normalisation))
    figure = draw_comparison(pair, view, results, windows, specimen, snakemake.params.label)
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
