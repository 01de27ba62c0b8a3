"""Target registration error of a phantom ear: its registration against its known pose."""

from pathlib import Path

import pandas as pd

from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.registration import target_registration_error
from otosynth.registration.transforms import read_transform

with job(snakemake):
    estimated = read_transform(Path(snakemake.input.transform))
    truth = read_transform(Path(snakemake.input.pose))
    points = pd.read_csv(snakemake.input.points)[["x", "y", "z"]].to_numpy()
    errors_mm = target_registration_error(estimated, truth, points)
    write_json(
        {"tre_mean_mm": float(errors_mm.mean()), "tre_max_mm": float(errors_mm.max())},
        Path(snakemake.output[0]),
    )
