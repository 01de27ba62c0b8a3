"""How every registered atlas lies on its tested ear: one row an ear and atlas."""

from pathlib import Path

import numpy as np
import pandas as pd

from otosynth.atlas import carry_class_map, placement
from otosynth.jobs import job
from otosynth.phantom.structures import LABYRINTH
from otosynth.registration.transforms import read_transform
from otosynth.tables import write_with_digest
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import Grid, image_like, mirror

with job(snakemake) as recorder:
    params, files = snakemake.params, snakemake.input
    parts = {Path(path).parent.name: read_labels(Path(path)) for path in files.regions}
    for path in map(Path, files.structures):
        inside = np.isin(array_of(read_labels(path)), LABYRINTH)
        parts[path.parent.name] = image_like(inside.astype(np.uint8), parts[path.parent.name])
    rows = []
    for path in map(Path, files.transforms):
        target, atlas = path.parents[1].name, path.stem
        own, moving = parts[target], parts[atlas]
        if params.mirrored[target][atlas]:
            moving = mirror(moving)
        carried = array_of(carry_class_map(moving, read_transform(path), own))
        found = placement(array_of(own), carried, Grid.of(own).spacing_zyx)
        rows.append({"specimen": target, "atlas": atlas, **found})
    table = pd.DataFrame(rows)
    table.insert(0, "study", params.study)
    table.insert(1, "label", params.label)
    table["compared"] = "labyrinth" if files.structures else "region at the cochlea"
    write_with_digest(table, snakemake.output[0], recorder.digest)
