"""Carry the region at the cochlea from atlases with landmarks to one ear, for its scores."""

from pathlib import Path

import numpy as np

from otosynth.atlas import carry_class_map
from otosynth.atlas_files import read_atlas
from otosynth.cochlea import SOURCES, agreed
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.registration.transforms import read_transform
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import image_like
from otosynth.volumes.writing import write_volume

with job(snakemake):
    target, files, sides = snakemake.wildcards.specimen, snakemake.input, snakemake.params.sides
    mask = read_labels(Path(files.mask))
    carried = {}
    for folder in sorted(Path(path).parent for path in files.regions):
        atlas = folder.name
        own = read_atlas(folder, ["cochlea"], sides[atlas] != sides[target])["cochlea"]
        transform = read_transform(Path(files.registered) / f"{atlas}.tfm")
        carried[atlas] = array_of(carry_class_map(own, transform, mask))
    region = agreed(list(carried.values()))
    voxels = int(np.count_nonzero(region))
    write_volume(image_like(region, mask), Path(snakemake.output.region))
    facts = {"source": "atlases", "voxels": voxels, "atlases": list(carried)}
    write_json(facts, Path(snakemake.output.facts))
    logger.info(
        "%s: region at the cochlea %s (%s), %d voxels",
        target, SOURCES["atlases"], ", ".join(carried), voxels,
    )  # fmt: skip
