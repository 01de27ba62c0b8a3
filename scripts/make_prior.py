"""Register a group's training ears to an ear: their mean micro-CT, and their votes by class."""

from pathlib import Path

from otosynth.atlas import carry_class_map, carry_ct, register_atlas
from otosynth.atlas_files import read_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.jobs import job
from otosynth.priors import mean_microct, votes
from otosynth.seeds import derive_seed
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like
from otosynth.volumes.writing import write_volume

with job(snakemake):
    target, params = snakemake.wildcards.specimen, snakemake.params
    folders = sorted({Path(path).parent for path in snakemake.input.atlases})
    settings = AtlasSettings(**params.atlas)
    fixed = read_atlas(Path(snakemake.input.ct).parent, ("ct", "mask"), mirrored=False)
    microcts, class_maps = [], []
    for folder in folders:
        other_side = params.sides[folder.name] != params.sides[target]
        moving = read_atlas(folder, ("ct", "mask", "microct", "classmap"), other_side)
        seed = derive_seed(params.seed, "prior", target, folder.name)
        transform = register_atlas(
            fixed["ct"], moving["ct"], settings, seed, fixed["mask"], moving["mask"]
        )
        microcts.append(array_of(carry_ct(moving["microct"], transform, fixed["ct"])))
        class_maps.append(array_of(carry_class_map(moving["classmap"], transform, fixed["ct"])))
        logger.info(
            "%s: %s registered (%d of %d)", target, folder.name, len(microcts), len(folders)
        )
    volumes = {"microct": mean_microct(microcts)} | {
        name: votes(class_maps, label) for label, name in enumerate(CLASSES)
    }
    for name, volume in volumes.items():
        write_volume(image_like(volume, fixed["ct"]), Path(snakemake.output[name]))
