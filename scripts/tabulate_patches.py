"""Patch table of one split of a group."""

from otosynth.configuration.patches import PatchSettings
from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.pairs import open_pairs
from otosynth.patches import patch_table

with job(snakemake):
    settings = PatchSettings(**snakemake.params.patches)
    pairs = open_pairs(snakemake.input, snakemake.params.mirrored)
    # Only training patches overlap, and only they may be left out.
    is_training = snakemake.wildcards.split == "training"
    table = patch_table(
        pairs,
        settings.size,
        settings.overlap if is_training else 0,
        settings.min_mask_fraction if is_training else 0.0,
    )
    write_csv(table, snakemake.output[0])
