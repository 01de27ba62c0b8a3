"""Two thresholds on a group's training CTs, plain and deconvolved, against their class maps."""

import json
from pathlib import Path

import numpy as np

from otosynth.configuration.yardsticks import YardstickSettings
from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.volume import Volume
from otosynth.yardsticks import (
    SMOOTHNESS,
    best_smoothness,
    count_tissues,
    deconvolve,
    learn_thresholds,
    seen_ct,
    slabs_on_grid,
)

with job(snakemake):
    files = snakemake.input
    width_hu = YardstickSettings(**snakemake.params.yardsticks).bin_width_hu
    summaries = [json.loads(Path(path).read_text()) for path in files.registration]
    point_spread_mm = float(np.median([summary["point_spread_mm"] for summary in summaries]))
    plain, sharp = [], {smoothness: [] for smoothness in SMOOTHNESS}
    for ct_file, *others in zip(files.ct, files.mask, files.classmap, strict=True):
        ct = Volume.mapped(Path(ct_file))
        mask, classmap = (map_voxels(Path(path)) for path in others)
        plain.append(count_tissues(ct.slabs(), classmap, mask, width_hu))
        seen = seen_ct(ct, mask, point_spread_mm)
        for smoothness, counts in sharp.items():
            slabs = slabs_on_grid(deconvolve(seen, point_spread_mm, smoothness), ct.grid)
            counts.append(count_tissues(slabs, classmap, mask, width_hu))
    on_ct = learn_thresholds(plain, width_hu)
    learned = [learn_thresholds(counts, width_hu) for counts in sharp.values()]
    best = best_smoothness(learned)
    write_json(
        {
            "training": list(snakemake.params.training),
            "point_spread_mm": point_spread_mm,
            "ct": {"thresholds_hu": on_ct.thresholds_hu, "training_mean_dice": on_ct.mean_dice},
            "deconvolved_ct": {
                "smoothness": SMOOTHNESS[best],
                "thresholds_hu": learned[best].thresholds_hu,
                "training_mean_dice": learned[best].mean_dice,
            },
        },
        Path(snakemake.output[0]),
    )
