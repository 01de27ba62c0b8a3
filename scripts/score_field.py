"""Compare the potential along the nerve by a prediction with that by the micro-CT's map."""

import pandas as pd

from otosynth.field.electrodes import SITE
from otosynth.field.scores import score_fields
from otosynth.files import write_csv
from otosynth.jobs import job

with job(snakemake):
    points = pd.read_csv(snakemake.input.electrodes)
    sites = points[points["kind"] == SITE]
    truth, predicted = (
        pd.read_csv(snakemake.input[name]).drop(columns="site").to_numpy(float).T
        for name in ("truth", "predicted")
    )
    scores = score_fields(
        truth, predicted, sites["along_mm"].to_numpy(), sites["angle_deg"].to_numpy()
    )
    columns = ["grid", "class", "metric", "value"]
    write_csv(scores.assign(grid="field")[columns], snakemake.output[0])
