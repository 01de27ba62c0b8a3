"""Three-class Otsu and the closing on a micro-CT."""

from pathlib import Path

import numpy as np

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import array_of, read_labels, spacing_zyx
from otosynth.volumes.grids import image_like
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    image = read_volume(Path(snakemake.input.microct))
    mask = array_of(read_labels(Path(snakemake.input.mask))) > 0
    settings = ClassMapSettings(**snakemake.params.classmap)
    result = class_map_from_microct(array_of(image), mask, spacing_zyx(image), settings)
    write_volume(image_like(result.labels, image), Path(snakemake.output.classmap))
    voxels = np.bincount(result.labels[mask], minlength=len(CLASSES))
    write_json(
        {
            "thresholds": list(result.thresholds),
            "fraction": dict(zip(CLASSES, (voxels / voxels.sum()).tolist(), strict=True)),
        },
        Path(snakemake.output.thresholds),
    )
