"""Figure 2: the steps of the closing."""

import json
from pathlib import Path

from otosynth.classmap import apply_thresholds, closing_radius_um, closing_steps
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.figures.closing import ClosingExample, draw_closing
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.normalisation import Normalisation
from otosynth.volumes.arrays import array_of, spacing_zyx
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import read_volume

with job(snakemake) as recorder:
    image = read_volume(Path(snakemake.input.microct))
    spacing_mm = spacing_zyx(image)
    settings = ClassMapSettings(**snakemake.params.classmap)
    radius_um = closing_radius_um(spacing_mm, settings)
    thresholds = json.loads(Path(snakemake.input.thresholds).read_text())["thresholds"]
    microct = array_of(image)
    before = apply_thresholds(microct, tuple(thresholds))
    window = Normalisation.read(Path(snakemake.input.normalisation)).microct
    figure = draw_closing(
        ClosingExample(
            microct,
            before,
            map_voxels(Path(snakemake.input.mask)),
            closing_steps(before, spacing_mm, radius_um),
            spacing_mm,
            radius_um,
        ),
        window,
        snakemake.params.specimen,
        snakemake.params.label,
    )
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
