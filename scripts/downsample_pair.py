"""Bring a pair to a coarser grid: mean of blocks, classes by majority."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.volumes import (
    downsample,
    downsample_labels,
    downsample_mask,
    read_volume,
    write_volume,
)

REDUCE = {
    "ct": downsample,
    "microct": downsample,
    "mask": downsample_mask,
    "classmap": downsample_labels,
}

with job(snakemake.log[0]):
    for name, reduce in REDUCE.items():
        image = read_volume(Path(snakemake.input[name]))
        write_volume(reduce(image, int(snakemake.wildcards.factor)), Path(snakemake.output[name]))
