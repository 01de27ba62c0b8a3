"""Let the segmentor that real micro-CTs trained see a synthetic one: its perceptibility."""

from pathlib import Path

import numpy as np

from otosynth.configuration.methods import method_settings
from otosynth.configuration.training import TrainingSettings
from otosynth.inference import Ear, Predictor
from otosynth.jobs import job
from otosynth.methods import create_method
from otosynth.normalisation import Normalisation
from otosynth.pairs import from_side
from otosynth.patches import patch_corners
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.checkpoints import load_trained, precision_of, selected_checkpoint
from otosynth.volumes.arrays import array_of, read_labels
from otosynth.volumes.grids import image_like, onto_grid
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    settings = TrainingSettings(**params.training)
    method = create_method(method_settings("microct_segmentor", params.segmentor))
    checkpoint = selected_checkpoint(Path(files.checkpoints), Path(files.selected))
    arithmetic = resolve_arithmetic(settings.device, precision_of([checkpoint]), settings.threads)
    windows = Normalisation.read(Path(files.normalisation))
    # A coarser prediction comes onto the grid that the segmentor was trained on.
    reference = read_labels(Path(files.mask))
    synthetic = onto_grid(read_volume(Path(files.microct)), reference, interpolate=True)
    mask = array_of(reference)
    # Outside the mask the segmentor saw air in training.
    inside = np.where(mask > 0, array_of(synthetic), np.float32(windows.microct.low))
    microct = from_side(inside, params.mirrored)
    predictor = Predictor(
        method,
        load_trained(method, checkpoint, arithmetic),
        # What this network reads is a micro-CT.
        Normalisation(windows.microct, windows.microct, windows.training),
        arithmetic,
        params.patch_size,
    )
    corners = patch_corners(microct.shape, params.patch_size)
    segmented = predictor.predict(Ear(microct, mask), corners, None).classmap
    write_volume(
        image_like(from_side(segmented, params.mirrored), reference), Path(snakemake.output[0])
    )
