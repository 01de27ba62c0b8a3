"""Predict one tested ear by the selected epoch."""

import json
from pathlib import Path

import pandas as pd

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.methods import MethodSettings, TrainingSettings
from otosynth.inference import predict_volume
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import from_side
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.checkpoints import load_trained, precision_of
from otosynth.volumes.arrays import spacing_zyx
from otosynth.volumes.grids import image_like
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    name, specimen = snakemake.wildcards.method, snakemake.wildcards.specimen
    mirrored = snakemake.params.mirrored
    settings = TrainingSettings(**snakemake.params.training)
    method = create_method(name, MethodSettings(title=name, **snakemake.params.method))
    selected = json.loads(Path(snakemake.input.selected).read_text())["checkpoint"]
    checkpoint = Path(snakemake.input.checkpoints) / selected
    arithmetic = resolve_arithmetic(settings.device, precision_of([checkpoint]), settings.threads)
    networks = load_trained(method, checkpoint, arithmetic)

    reference = read_volume(Path(snakemake.input.ct))
    ct, mask = (
        from_side(map_voxels(Path(path)), mirrored)
        for path in (snakemake.input.ct, snakemake.input.mask)
    )
    table = pd.read_csv(snakemake.input.table, sep="\t").query("specimen == @specimen")
    classmap_settings = ClassMapSettings(**snakemake.params.classmap)
    prediction = predict_volume(
        method,
        networks,
        ct,
        mask,
        list(table[["z", "y", "x"]].itertuples(index=False, name=None)),
        int(table["size"].iloc[0]),
        Normalisation.read(Path(snakemake.input.normalisation)),
        arithmetic,
        lambda microct, inside: (
            class_map_from_microct(
                microct, inside, spacing_zyx(reference), classmap_settings
            ).labels
        ),
    )
    for volume, path in (
        (prediction.microct, snakemake.output.microct),
        (prediction.classmap, snakemake.output.classmap),
    ):
        write_volume(image_like(from_side(volume, mirrored), reference), Path(path))
