"""Mark the region at the cochlea of one ear, as far as its own structures or landmarks tell it."""

from pathlib import Path

import numpy as np

from otosynth.cochlea import SOURCES, near_scalae, near_tympani
from otosynth.errors import InputError
from otosynth.field.landmark_lines import scala_tympani
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.itk_io import read_grid
from otosynth.volumes.writing import write_slabs

with job(snakemake):
    specimen, files = snakemake.wildcards.specimen, snakemake.input
    grid = read_grid(Path(files.mask))
    if files.structures:
        source = "phantom"
        region = near_scalae(array_of(read_labels(Path(files.structures))), grid.spacing_zyx)
    elif files.landmarks:
        source = "landmarks"
        curve, _, towards_apex = scala_tympani(Path(files.landmarks), specimen)
        region = near_tympani(curve, towards_apex, grid)
        if not region.any():
            raise InputError(
                f"{specimen}: the landmarks of {files.landmarks} lie outside its micro-CT; give "
                "them in the frame of the micro-CT."
            )
    else:
        source, region = "none", np.zeros(grid.shape, np.uint8)
    voxels = int(np.count_nonzero(region))
    write_slabs([region], grid, np.uint8, Path(snakemake.output.region))
    write_json({"source": source, "voxels": voxels}, Path(snakemake.output.facts))
    logger.info("%s: region at the cochlea %s, %d voxels", specimen, SOURCES[source], voxels)
