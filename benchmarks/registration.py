"""Target registration error of a CT simulated from real micro-CTs under known poses.

For every specimen of a table a CT is made from its micro-CT as the mouse ears' were (0.55 mm
blur, 0.40 mm voxels, HU, noise, a field of view that does not cover all), under random poses that
are known; ours (automatic search) and plain SimpleITK started at the centre register the same
pairs in the same run, on one thread each.

    python benchmarks/bench.py registration FOLDER [--angles 5 20 45] [--out CSV]

FOLDER holds specimens.tsv.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from otosynth.configuration.registration import RegistrationSettings
from otosynth.registration import register_rigid, target_registration_error
from otosynth.seeds import derive_seed
from otosynth.specimens import read_specimens
from otosynth.volumes.reading import read_volume
from otosynth.volumes.volume import Volume

BLUR_FWHM_MM, CT_SPACING_MM, CT_NOISE_HU = 0.55, 0.40, 30.0
FWHM_PER_SIGMA = 2.355
# A shift of the scanner's frame, beside the turn about the ear's middle.
FRAME_SHIFT_MM, OFF_CENTRE_MM = 40.0, 1.0


def simulate_ct(
    microct: sitk.Image, angle_deg: float, seed: int
) -> tuple[sitk.Image, sitk.Euler3DTransform]:
    """Return a CT of a micro-CT, and the pose that takes a micro-CT point to a CT point."""
    random = np.random.default_rng(seed)
    axis = random.normal(size=3)
    rotation = sitk.VersorTransform((axis / np.linalg.norm(axis)).tolist(), np.deg2rad(angle_deg))
    pose = sitk.Euler3DTransform()
    middle = [(n - 1) / 2 for n in microct.GetSize()]
    pose.SetCenter(microct.TransformContinuousIndexToPhysicalPoint(middle))
    pose.SetMatrix(rotation.GetMatrix())
    pose.SetTranslation(random.uniform(-FRAME_SHIFT_MM, FRAME_SHIFT_MM, 3).tolist())

    size = round(min(np.array(microct.GetSize()) * microct.GetSpacing()) / CT_SPACING_MM)
    grid = sitk.Image([size] * 3, sitk.sitkFloat32)
    grid.SetSpacing([CT_SPACING_MM] * 3)
    centre = np.array(pose.TransformPoint(pose.GetCenter()))
    centre += random.uniform(-OFF_CENTRE_MM, OFF_CENTRE_MM, 3)
    grid.SetOrigin((centre - (size - 1) / 2 * CT_SPACING_MM).tolist())

    blurred = sitk.SmoothingRecursiveGaussian(microct, BLUR_FWHM_MM / FWHM_PER_SIGMA)
    low, high = np.percentile(sitk.GetArrayViewFromImage(microct), [1, 99.5]).tolist()
    hounsfield = (blurred - low) * (2500.0 / (high - low)) - 1000.0
    ct = sitk.Resample(hounsfield, grid, pose.GetInverse(), sitk.sitkBSpline, -1000.0)
    noise = random.normal(0, CT_NOISE_HU, ct.GetSize()[::-1]).astype(np.float32)
    noisy = sitk.GetImageFromArray(sitk.GetArrayFromImage(ct) + noise)
    noisy.CopyInformation(ct)
    return noisy, pose


def plain_simpleitk(microct: sitk.Image, ct: sitk.Image) -> sitk.Transform:
    """Register as SimpleITK's own examples do: Mattes, three levels, started at the centre."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(1.0, 100, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = sitk.CenteredTransformInitializer(
        microct, ct, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method.SetInitialTransform(start, inPlace=False)
    return method.Execute(microct, ct)


def points_of(microct: sitk.Image) -> np.ndarray:
    """Return a 5^3 grid of points over the inner half of an image (n, 3), mm."""
    steps = [np.linspace(0.25, 0.75, 5) * (n - 1) for n in microct.GetSize()]
    indices = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.array([microct.TransformContinuousIndexToPhysicalPoint(i.tolist()) for i in indices])


def main(words: list[str]) -> None:
    """Run all ears and angles; print the table and its summary."""
    parser = argparse.ArgumentParser("bench.py registration", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--angles", type=float, nargs="+", default=[5.0, 20.0, 45.0])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args(words)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    rows = []
    for name, specimen in read_specimens(
        arguments.folder / "specimens.tsv", arguments.folder, "right"
    ).items():
        microct = read_volume(specimen.microct)
        for angle in arguments.angles:
            ct, pose = simulate_ct(microct, angle, derive_seed(1, name, str(angle)))
            ways = {
                "otosynth": lambda m, c: (
                    register_rigid(Volume.of(m), c, RegistrationSettings(), None, 1).transform
                ),
                "SimpleITK": plain_simpleitk,
            }
            for way, register in ways.items():
                started = time.perf_counter()
                transform = register(microct, ct)
                seconds = time.perf_counter() - started
                errors = target_registration_error(transform, pose, points_of(microct))
                rows.append((name, angle, way, errors.mean(), seconds))
                print(*rows[-1], flush=True)
    table = pd.DataFrame(rows, columns=["specimen", "angle_deg", "way", "tre_mm", "seconds"])
    if arguments.out:
        table.to_csv(arguments.out, index=False)
    print(table.groupby(["way", "angle_deg"])[["tre_mm", "seconds"]].agg(["median", "max"]))
