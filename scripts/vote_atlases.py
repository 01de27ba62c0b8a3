"""Register every atlas of the group to a tested ear and let their class maps vote."""

from pathlib import Path

from otosynth.atlas import carry_class_map, carry_ct, register_atlas
from otosynth.atlas_files import read_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.fusion import locally_weighted_vote, majority_vote, staple
from otosynth.jobs import job
from otosynth.registration.transforms import write_transform
from otosynth.seeds import derive_seed
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like
from otosynth.volumes.writing import write_volume

with job(snakemake):
    target, params = snakemake.wildcards.specimen, snakemake.params
    settings = AtlasSettings(**params.atlas)
    fixed = read_atlas(Path(snakemake.input.ct).parent, ("ct", "mask"), mirrored=False)
    folders = sorted({Path(path).parent for path in snakemake.input.atlases})
    registered = Path(snakemake.output.registered)
    class_maps, cts = [], []
    for folder in folders:
        other_side = params.sides[folder.name] != params.sides[target]
        moving = read_atlas(folder, ("ct", "mask", "classmap"), other_side)
        seed = derive_seed(params.seed, "atlas", target, folder.name)
        transform = register_atlas(
            fixed["ct"], moving["ct"], settings, seed, fixed["mask"], moving["mask"]
        )
        write_transform(transform, registered / f"{folder.name}.tfm")
        class_map = carry_class_map(moving["classmap"], transform, fixed["ct"])
        write_volume(class_map, registered / f"{folder.name}.nii.gz")
        class_maps.append(array_of(class_map))
        if "locally_weighted" in settings.fusions:
            cts.append(array_of(carry_ct(moving["ct"], transform, fixed["ct"])))
        logger.info(
            "%s: atlas %s registered (%d of %d)",
            target, folder.name, len(class_maps), len(folders),
        )  # fmt: skip
    spacing_mm = min(fixed["ct"].GetSpacing())
    radius = max(1, round(settings.similarity_radius_mm / spacing_mm))
    votes = {
        "majority": lambda: majority_vote(class_maps),
        "locally_weighted": lambda: locally_weighted_vote(
            class_maps, cts, array_of(fixed["ct"]), radius
        ),
        "staple": lambda: staple(class_maps),
    }
    for fusion in settings.fusions:
        path = registered.parent / f"{fusion}.nii.gz"
        write_volume(image_like(votes[fusion](), fixed["ct"]), path)
