"""Fit the temperature of a training's confidence on its validation ears."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from otosynth.calibration import border_radius_mm, fit_temperature, thinned
from otosynth.configuration.methods import method_settings
from otosynth.configuration.training import TrainingSettings
from otosynth.files import write_json
from otosynth.inference import Ear, Predictor
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.metrics import near_class_borders
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs, pair_folders
from otosynth.seeds import derive_seed
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.checkpoints import load_trained, precision_of, selected_checkpoint
from otosynth.volumes.itk_io import read_grid
from otosynth.volumes.mapping import new_volume

# Of each ear, at most: more would not change a single number.
MOST_VOXELS = 2_000_000

with job(snakemake):
    files, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    settings = TrainingSettings(**params.training)
    method = create_method(method_settings(wildcards.method, params.method))
    checkpoint = selected_checkpoint(Path(files.checkpoints), Path(files.selected))
    arithmetic = resolve_arithmetic(settings.device, precision_of([checkpoint]), settings.threads)
    networks = load_trained(method, checkpoint, arithmetic)
    normalisation = Normalisation.read(Path(files.normalisation))
    table = pd.read_csv(files.table, sep="\t")
    folders = pair_folders(files.pairs, params.mirrored)
    probabilities, classes = [], []
    for name, pair in open_pairs(files.pairs, params.mirrored, files.priors).items():
        rows = table[table["specimen"] == name]
        predictor = Predictor(
            method, networks, normalisation, arithmetic, int(rows["size"].iloc[0]),
            derive_seed(params.seed, "prediction", name, wildcards.method, wildcards.seed),
            partial(new_volume, folder=Path(snakemake.output[0]).parent),
        )  # fmt: skip
        corners = list(rows[["z", "y", "x"]].itertuples(index=False, name=None))
        shares = predictor.predict(Ear(pair.ct, pair.mask, pair.prior), corners, None).probabilities
        spacing = read_grid(folders[name] / "ct.nii").spacing_zyx
        radius = border_radius_mm(spacing)
        near = near_class_borders(pair.classmap, pair.mask > 0, radius, spacing)
        for z, chosen in enumerate(thinned(near, MOST_VOXELS)):
            probabilities.append(shares[:, z][:, chosen])
            classes.append(pair.classmap[z][chosen])
    truth = np.concatenate(classes)
    temperature = fit_temperature(np.concatenate(probabilities, axis=1), truth)
    write_json({"temperature": temperature, "voxels": len(truth)}, Path(snakemake.output[0]))
