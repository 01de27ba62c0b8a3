"""Volumes: reading and writing scans, their grids, and refusing what is not a usable scan."""

from otosynth.volumes.arrays import array_of, read_labels, spacing_zyx
from otosynth.volumes.checks import check_intensities, check_pair
from otosynth.volumes.grids import (
    downsample,
    downsample_labels,
    downsample_mask,
    image_like,
    mirror,
    onto_grid,
    same_grid,
)
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import input_files, read_volume
from otosynth.volumes.writing import write_volume

__all__ = [
    "array_of",
    "check_intensities",
    "check_pair",
    "downsample",
    "downsample_labels",
    "downsample_mask",
    "image_like",
    "input_files",
    "map_voxels",
    "mirror",
    "onto_grid",
    "read_labels",
    "read_volume",
    "same_grid",
    "spacing_zyx",
    "write_volume",
]
