"""Predict one tested ear by the selected epoch."""

import json
from functools import partial
from pathlib import Path

import pandas as pd

from otosynth.classmap import class_map_from_microct
from otosynth.configuration.classmap import ClassMapSettings
from otosynth.configuration.methods import method_settings
from otosynth.configuration.training import TrainingSettings
from otosynth.inference import Ear, Predictor, confidence_maps
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import from_side
from otosynth.seeds import derive_seed
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.checkpoints import load_trained, precision_of, selected_checkpoint
from otosynth.volumes.itk_io import read_grid
from otosynth.volumes.mapping import map_voxels, new_volume
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs

with job(snakemake):
    files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    settings = TrainingSettings(**params.training)
    method = create_method(method_settings(wildcards.method, params.method))
    checkpoint = selected_checkpoint(Path(files.checkpoints), Path(files.selected))
    arithmetic = resolve_arithmetic(settings.device, precision_of([checkpoint]), settings.threads)

    def volume(path):
        """Map a volume, seen from the working side."""
        return from_side(map_voxels(Path(path)), params.mirrored)

    ear = Ear(volume(files.ct), volume(files.mask), [volume(path) for path in files.priors])
    specimen = wildcards.specimen
    table = pd.read_csv(files.table, sep="\t").query("specimen == @specimen")
    predictor = Predictor(
        method,
        load_trained(method, checkpoint, arithmetic),
        Normalisation.read(Path(files.normalisation)),
        arithmetic,
        int(table["size"].iloc[0]),
        derive_seed(params.seed, "prediction", specimen, wildcards.method, wildcards.seed),
        partial(new_volume, folder=Path(snakemake.output[0]).parent),
    )
    grid = read_grid(Path(files.ct))
    classmap = ClassMapSettings(**params.classmap)
    prediction = predictor.predict(
        ear,
        list(table[["z", "y", "x"]].itertuples(index=False, name=None)),
        lambda microct, inside: (
            class_map_from_microct(microct, inside, grid.spacing_zyx, classmap).labels
        ),
    )
    volumes = {"microct": prediction.microct, "classmap": prediction.classmap}
    # Snakemake's named list: `in` would look among the paths.
    if "uncertainty" in snakemake.output.keys():  # noqa: SIM118
        temperature = json.loads(Path(files.temperature).read_text(encoding="utf-8"))["temperature"]
        volumes |= dict(
            zip(
                ("confidence", "uncertainty"),
                confidence_maps(prediction.probabilities, temperature, predictor.new_volume),
                strict=True,
            )
        )
    for name, path in snakemake.output.items():
        volume = Volume(from_side(volumes[name], params.mirrored), grid)
        write_slabs((slab for _, slab in volume.slabs()), grid, volume.voxels.dtype, Path(path))
