"""The yardsticks on one tested ear: Otsu and learned thresholds, on its CT and deconvolved."""

import json
from pathlib import Path

import numpy as np

from otosynth.classmap import apply_thresholds
from otosynth.errors import InputError
from otosynth.jobs import job
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs
from otosynth.yardsticks import ct_otsu, deconvolve, on_grid, seen_ct

with job(snakemake):
    files, specimen = snakemake.input, snakemake.wildcards.specimen
    ct, mask = Volume.mapped(Path(files.ct)), map_voxels(Path(files.mask))
    learned = json.loads(Path(files.learned).read_text())
    sharp = learned["deconvolved_ct"]
    folder = Path(snakemake.output[0]).parent
    try:
        seen = seen_ct(ct, mask, learned["point_spread_mm"])
        deconvolved = deconvolve(seen, learned["point_spread_mm"], sharp["smoothness"])
        values = {"ct": ct.voxels, "deconvolved": on_grid(deconvolved, ct.grid, folder)}
        thresholds = {f"{name}_otsu": ct_otsu(volume, mask) for name, volume in values.items()}
    except InputError as error:
        raise InputError(f"{specimen}: {error}") from None
    thresholds["ct_thresholds"] = learned["ct"]["thresholds_hu"]
    thresholds["deconvolved_thresholds"] = sharp["thresholds_hu"]
    for name, (first, second) in thresholds.items():
        logger.info("%s, %s: air below %.0f HU, bone from %.0f HU", specimen, name, first, second)
        volume = values[name.partition("_")[0]]
        slabs = (apply_thresholds(volume[rows], (first, second)) for rows in slabs_of(volume.shape))
        write_slabs(slabs, ct.grid, np.uint8, Path(snakemake.output[name]))
