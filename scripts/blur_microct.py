"""A ceiling: three-class Otsu on the micro-CT of a tested ear, blurred as its CT is."""

import json
from pathlib import Path

import numpy as np

from otosynth.classmap import apply_thresholds, otsu_thresholds
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.jobs import job
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.measured import MarkedVolume, find_padding
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs
from otosynth.yardsticks import blur, on_grid

with job(snakemake):
    files, output = snakemake.input, Path(snakemake.output[0])
    microct, mask = Volume.mapped(Path(files.microct)), map_voxels(Path(files.mask))
    point_spread_mm = json.loads(Path(files.learned).read_text())["point_spread_mm"]
    padding = find_padding(microct, hounsfield=False)
    marked = MarkedVolume(microct.voxels, microct.grid, padding=padding)
    values = on_grid(blur(marked, point_spread_mm), microct.grid, output.parent)
    settings = ClassMapSettings(**snakemake.params.classmap)
    thresholds = otsu_thresholds(values, settings, mask)
    slabs = (apply_thresholds(values[rows], thresholds) for rows in slabs_of(values.shape))
    write_slabs(slabs, microct.grid, np.uint8, output)
