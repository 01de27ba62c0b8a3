"""Carry the region at the cochlea from atlases with landmarks to one ear, for its scores."""

from pathlib import Path

import numpy as np

from otosynth.atlas import carry_class_map
from otosynth.atlas_files import read_registered
from otosynth.cochlea import SOURCES, agreed
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import image_like
from otosynth.volumes.writing import write_volume

with job(snakemake):
    target, files = snakemake.wildcards.specimen, snakemake.input
    mask = read_labels(Path(files.mask))
    atlases = sorted(snakemake.params.mirrored)
    registered = read_registered(
        files.regions, files.transforms, ("cochlea",), snakemake.params.mirrored
    )
    carried = [
        array_of(carry_class_map(atlas["cochlea"], transform, mask))
        for atlas, transform in registered
    ]
    region = agreed(carried)
    voxels = int(np.count_nonzero(region))
    write_volume(image_like(region, mask), Path(snakemake.output.region))
    facts = {"source": "atlases", "voxels": voxels, "atlases": atlases}
    write_json(facts, Path(snakemake.output.facts))
    logger.info(
        "%s: region at the cochlea %s (%s), %d voxels",
        target, SOURCES["atlases"], ", ".join(atlases), voxels,
    )  # fmt: skip
