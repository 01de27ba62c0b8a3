"""Register one ear, as an atlas, to another ear."""

from pathlib import Path

from otosynth.atlas import register_atlas
from otosynth.atlas_files import read_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.jobs import job
from otosynth.registration.transforms import write_transform
from otosynth.seeds import derive_seed

with job(snakemake):
    params, wildcards = snakemake.params, snakemake.wildcards
    target, atlas = (Path(path).parent for path in (snakemake.input.ct, snakemake.input.atlas_ct))
    fixed = read_atlas(target, ("ct", "mask"), mirrored=False)
    moving = read_atlas(atlas, ("ct", "mask"), params.other_side)
    transform = register_atlas(
        fixed["ct"],
        moving["ct"],
        AtlasSettings(**params.atlas),
        derive_seed(params.seed, "atlas", wildcards.specimen, wildcards.atlas),
        fixed["mask"],
        moving["mask"],
    )
    write_transform(transform, Path(snakemake.output[0]))
    logger.info("%s: atlas %s registered", wildcards.specimen, wildcards.atlas)
