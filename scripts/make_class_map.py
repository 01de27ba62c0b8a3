"""Three-class Otsu and the closing on a micro-CT."""

from pathlib import Path

import numpy as np

from otosynth.classmap import class_counts, class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.tissues import CLASSES
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.measured import find_padding
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs

with job(snakemake):
    microct = Volume.mapped(Path(snakemake.input.microct))
    mask = map_voxels(Path(snakemake.input.mask))
    settings = ClassMapSettings(**snakemake.params.classmap)
    padding = find_padding(microct, hounsfield=False)
    result = class_map_from_microct(
        microct.voxels, mask, microct.grid.spacing_zyx, settings, padding
    )
    write_slabs([result.labels], microct.grid, np.uint8, Path(snakemake.output.classmap))
    voxels = class_counts(result.labels, mask)
    write_json(
        {
            "thresholds": list(result.thresholds),
            "fraction": dict(zip(CLASSES, (voxels / voxels.sum()).tolist(), strict=True)),
        },
        Path(snakemake.output.thresholds),
    )
