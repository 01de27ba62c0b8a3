"""Register every atlas of the group to a tested ear and let their class maps vote."""

from pathlib import Path

from otosynth.atlas import carry_class_map, majority_vote, register_atlas
from otosynth.configuration.atlas import AtlasSettings
from otosynth.jobs import job
from otosynth.registration.transforms import write_transform
from otosynth.seeds import derive_seed
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import image_like, mirror
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume


def read_ct_and_mask(folder):
    """Read what a registration needs of a pair."""
    return {"ct": read_volume(folder / "ct.nii"), "mask": read_labels(folder / "mask.nii")}


with job(snakemake):
    target = snakemake.wildcards.specimen
    sides = snakemake.params.sides
    settings = AtlasSettings(**snakemake.params.atlas)
    folders = {Path(p).parent for p in snakemake.input.atlases}
    fixed = read_ct_and_mask(Path(snakemake.input.ct).parent)
    carried = []
    registered = Path(snakemake.output.registered)
    for folder in sorted(folders):
        atlas = folder.name
        moving = read_ct_and_mask(folder) | {"classmap": read_labels(folder / "classmap.nii")}
        if sides[atlas] != sides[target]:
            moving = {name: mirror(image) for name, image in moving.items()}
        seed = derive_seed(snakemake.params.seed, "atlas", target, atlas)
        transform = register_atlas(
            fixed["ct"], moving["ct"], settings, seed, fixed["mask"], moving["mask"]
        )
        write_transform(transform, registered / f"{atlas}.tfm")
        class_map = carry_class_map(moving["classmap"], transform, fixed["ct"])
        write_volume(class_map, registered / f"{atlas}.nii.gz")
        carried.append(array_of(class_map))
        logger.info("%s: atlas %s registered (%d of %d)", target, atlas, len(carried), len(folders))
    vote = majority_vote(carried)
    write_volume(image_like(vote, fixed["ct"]), Path(snakemake.output.classmap))
