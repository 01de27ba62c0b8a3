"""Score one prediction on the micro-CT grid, and on its own grid where that is another."""

from pathlib import Path

from otosynth.evaluation import score
from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.normalisation import Normalisation
from otosynth.volumes.arrays import read_labels
from otosynth.volumes.reading import read_volume

LABELS = ("classmap", "mask")

with job(snakemake):
    window = Normalisation.read(Path(snakemake.input.normalisation)).microct
    predicted = {"classmap": read_labels(Path(snakemake.input.classmap))}
    if snakemake.input.microct:
        predicted["microct"] = read_volume(Path(snakemake.input.microct))
    if snakemake.input.segmented:
        predicted["segmented"] = read_labels(Path(snakemake.input.segmented))
    truth = {
        "classmap": read_labels(Path(snakemake.input.truth_classmap)),
        "microct": read_volume(Path(snakemake.input.truth_microct)),
        "mask": read_labels(Path(snakemake.input.mask)),
        "cochlea": read_labels(Path(snakemake.input.cochlea)),
    }
    own = {
        path.stem: (read_labels if path.stem in LABELS else read_volume)(path)
        for path in map(Path, snakemake.input.own_grid)
    }
    scores = score(predicted, truth, own, (window.low, window.high))
    write_csv(scores, snakemake.output[0])
