"""Bring a pair to a coarser grid: mean of blocks, classes by majority."""

from pathlib import Path

from otosynth.jobs import job
from otosynth.volumes.arrays import read_labels
from otosynth.volumes.grids import downsample, downsample_labels, downsample_mask
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

HOW = {
    "ct": (read_volume, downsample),
    "microct": (read_volume, downsample),
    "mask": (read_labels, downsample_mask),
    "classmap": (read_labels, downsample_labels),
    # In the region where half of the voxels are: a tie goes to 1, as to soft tissue.
    "cochlea": (read_labels, downsample_labels),
}

with job(snakemake):
    for name, (read, reduce) in HOW.items():
        image = read(Path(snakemake.input[name]))
        write_volume(reduce(image, int(snakemake.wildcards.factor)), Path(snakemake.output[name]))
