"""Let the class maps of the registered atlases vote on a tested ear."""

from pathlib import Path

from otosynth.atlas import carry_class_map, carry_ct
from otosynth.atlas_files import read_registered
from otosynth.configuration.atlas import AtlasSettings
from otosynth.fusion import locally_weighted_vote, majority_vote, staple
from otosynth.jobs import job
from otosynth.volumes.arrays import array_of
from otosynth.volumes.grids import image_like
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    settings = AtlasSettings(**params.atlas)
    target = read_volume(Path(files.ct))
    class_maps, cts = [], []
    names = ("ct", "classmap") if "locally_weighted" in settings.fusions else ("classmap",)
    for atlas, transform in read_registered(
        files.atlases, files.transforms, names, params.mirrored
    ):
        class_maps.append(array_of(carry_class_map(atlas["classmap"], transform, target)))
        if "ct" in atlas:
            cts.append(array_of(carry_ct(atlas["ct"], transform, target)))
    radius = max(1, round(settings.similarity_radius_mm / min(target.GetSpacing())))
    votes = {
        "majority": lambda: majority_vote(class_maps),
        "locally_weighted": lambda: locally_weighted_vote(
            class_maps, cts, array_of(target), radius
        ),
        "staple": lambda: staple(class_maps),
    }
    for fusion, path in zip(settings.fusions, snakemake.output, strict=True):
        write_volume(image_like(votes[fusion](), target), Path(path))
