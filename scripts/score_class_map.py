"""Dice of a phantom's thresholded class map against its exact classes."""

from pathlib import Path

from otosynth.files import write_json
from otosynth.jobs import job
from otosynth.metrics import dice
from otosynth.volumes.arrays import array_of, read_labels

with job(snakemake):
    thresholded, exact, mask = (
        array_of(read_labels(Path(snakemake.input[name])))
        for name in ("classmap", "labels", "mask")
    )
    write_json({"dice": dice(exact, thresholded, mask > 0)}, Path(snakemake.output[0]))
