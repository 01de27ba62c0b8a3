"""How well `otosynth predict` does on raw CTs of a phantom study's tested ears.

    python benchmarks/bench.py prediction results/phantom --group A --method multi_task

The CTs are predicted as a new ear's are: from the raw scan, with its pose and side unknown. The
truth is the phantom's exact classes, brought onto the CT's frame by its exact pose. Beside it
stands what the study itself reached, on the micro-CT's grid and against the micro-CT's classes.
"""

import argparse
from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from otosynth import api
from otosynth.metrics import dice
from otosynth.provenance.places import Places
from otosynth.registration.transforms import read_transform
from otosynth.tissues import CLASSES
from otosynth.viewing.study import groups_by_ear


def dice_of_prediction(raw: Path, model: api.TrainedModel) -> dict[str, float]:
    """Predict an ear's raw CT; return the Dice of each class where anything was predicted."""
    prediction = api.predict(api.read_scan(raw / "ct.nii.gz"), model)
    labels = sitk.ReadImage(str(raw / "labels.nii.gz"))
    to_microct = read_transform(raw / "pose.tfm").GetInverse()
    frame = prediction.classmap
    inside = sitk.Mask(prediction.volumes["mask"], _covered(labels, frame, to_microct))
    truth = sitk.Resample(labels, frame, to_microct, sitk.sitkNearestNeighbor, 0)
    return dice(api.voxels(frame), api.voxels(truth), api.voxels(inside) > 0)


def _covered(labels: sitk.Image, frame: sitk.Image, to_microct: sitk.Transform) -> sitk.Image:
    """Return 1 where the truth is known on a frame."""
    everywhere = labels * 0 + 1
    return sitk.Resample(everywhere, frame, to_microct, sitk.sitkNearestNeighbor, 0)


def main(words: list[str]) -> None:
    """Print a line an ear."""
    parser = argparse.ArgumentParser("bench.py prediction", description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="folder of a finished phantom study")
    parser.add_argument("--group", default="A")
    parser.add_argument("--method", default="multi_task")
    options = parser.parse_args(words)
    study = options.results.name
    model = api.load_model(f"{study}/{options.group}/{options.method}", options.results.parent)
    table = pd.read_csv(options.results / "tables/dice.csv")
    of_study = table[table["method"] == options.method].set_index(["specimen", "class"])["dice"]
    for ear, group in sorted(groups_by_ear(Places(options.results)).items()):
        if group == options.group:
            found = dice_of_prediction(options.results / "phantom" / ear, model)
            reached = " / ".join(f"{of_study[ear, name]:.3f}" for name in CLASSES)
            print(f"{ear}: {' / '.join(f'{found[n]:.3f}' for n in CLASSES)} (study: {reached})")
