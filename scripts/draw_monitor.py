"""Figure 5: the training monitor's images of every method at its selected epoch."""

import json
from pathlib import Path

import pandas as pd

from otosynth.configuration.methods import method_settings
from otosynth.figures.monitor import MonitorRow, draw_monitor
from otosynth.figures.style import write_figure
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import open_pairs
from otosynth.patches import fullest_patch
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.checkpoints import load_trained, precision_of
from otosynth.training.monitor import monitor_images
from otosynth.volumes.itk_io import read_grid

with job(snakemake) as recorder:
    normalisation = Normalisation.read(Path(snakemake.input.normalisation))
    rows = []
    for name, keys in snakemake.params.methods.items():
        settings = method_settings(name, keys)
        method = create_method(settings)
        epoch = json.loads(Path(snakemake.input[f"{name}_selected"]).read_text())
        checkpoint = Path(snakemake.input[f"{name}_checkpoints"]) / epoch["checkpoint"]
        # One patch a method: no GPU is worth waiting for.
        precision = precision_of([checkpoint])
        arithmetic = resolve_arithmetic("cpu", precision, snakemake.params.threads)
        pairs = snakemake.input[f"{name}_pairs"]
        reader = PatchReader(
            pd.read_csv(snakemake.input[f"{name}_table"], sep="\t"),
            open_pairs(pairs, snakemake.params.mirrored, snakemake.input[f"{name}_priors"]),
            normalisation,
            arithmetic,
        )
        batch = reader.read(fullest_patch(reader.table))
        networks = load_trained(method, checkpoint, arithmetic)
        images = monitor_images(method, networks, batch, arithmetic)
        inside = batch.mask[0, 0, batch.mask.shape[2] // 2].cpu().numpy()
        pixel_mm = read_grid(Path(pairs[0])).spacing_zyx[1:]
        rows.append(MonitorRow(settings.title, epoch["epoch"], images, inside, pixel_mm))
    figure = draw_monitor(rows, snakemake.params.group, snakemake.params.label)
    write_figure(figure, snakemake.output, snakemake.params.figures["dpi"], recorder.digest)
