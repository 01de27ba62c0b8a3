"""Three-class Otsu and the closing on a micro-CT."""

from pathlib import Path

import SimpleITK as sitk

from otosynth.classmap import class_counts, class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import spacing_zyx
from otosynth.volumes.grids import image_like
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    image = read_volume(Path(snakemake.input.microct))
    mask = map_voxels(Path(snakemake.input.mask))
    settings = ClassMapSettings(**snakemake.params.classmap)
    # A view, since a copy of a whole micro-CT takes gigabytes.
    microct = sitk.GetArrayViewFromImage(image)
    result = class_map_from_microct(microct, mask, spacing_zyx(image), settings)
    write_volume(image_like(result.labels, image), Path(snakemake.output.classmap))
    voxels = class_counts(result.labels, mask)
    write_json(
        {
            "thresholds": list(result.thresholds),
            "fraction": dict(zip(CLASSES, (voxels / voxels.sum()).tolist(), strict=True)),
        },
        Path(snakemake.output.thresholds),
    )
