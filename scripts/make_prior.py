"""What a group's training ears, registered to an ear, say of it: mean micro-CT, votes by class."""

from pathlib import Path

from otosynth.atlas import carry_class_map, carry_ct
from otosynth.atlas_files import read_registered
from otosynth.jobs import job
from otosynth.priors import mean_microct, votes
from otosynth.tissues import CLASSES
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    files = snakemake.input
    target = read_volume(Path(files.ct))
    microcts, class_maps = [], []
    for atlas, transform in read_registered(
        files.atlases, files.transforms, ("microct", "classmap"), snakemake.params.mirrored
    ):
        microcts.append(array_of(carry_ct(atlas["microct"], transform, target)))
        class_maps.append(array_of(carry_class_map(atlas["classmap"], transform, target)))
    volumes = {"microct": mean_microct(microcts)} | {
        name: votes(class_maps, label) for label, name in enumerate(CLASSES)
    }
    for name, volume in volumes.items():
        write_volume(image_like(volume, target), Path(snakemake.output[name]))
