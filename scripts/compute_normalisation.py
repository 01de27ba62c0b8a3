"""Intensity windows of a group, from its training ears alone."""

from pathlib import Path

from otosynth.configuration.patches import NormalisationSettings
from otosynth.jobs import job
from otosynth.normalisation import Normalisation, Window, percentiles_of_volumes
from otosynth.pairs import open_pair

with job(snakemake):
    settings = NormalisationSettings(**snakemake.params.normalisation)
    folders = {Path(path).parent for path in snakemake.input}
    pairs = [open_pair(folder, mirrored=False) for folder in sorted(folders)]
    low, high = percentiles_of_volumes(
        [(pair.microct, pair.mask) for pair in pairs], settings.microct_percentiles
    )
    Normalisation(
        Window(*settings.ct_window_hu),
        Window(low, high, settings.scale),
        tuple(snakemake.params.training),
    ).write(Path(snakemake.output[0]))
