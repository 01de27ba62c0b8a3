"""itk-elastix with its default rigid parameter map, one thread.

Fixed and moving image are the study's: micro-CT and CT; with ``fixed: ct`` it is the other way
round, which is quicker, since the metric then reads fewer voxels at each level. The one parameter
set is ``AutomaticTransformInitialization``, which starts at the centres of both grids: without it
elastix finds no overlap, since the scanners' frames lie up to 60 mm apart. Elastix's modules are
loaded before the time is taken.
"""

from pathlib import Path

import itk
import numpy as np


def prepare(folder: Path, settings: dict) -> dict:
    """Read the pair that ours left."""
    # Touching a name loads its module.
    for name in ("ParameterObject", "ElastixRegistrationMethod", "Euler3DTransform"):
        getattr(itk, name)
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    scans = {
        "microct": itk.imread(str(folder / "microct.nii"), itk.F),
        "ct": itk.imread(str(folder / "ct.nii"), itk.F),
    }
    points = {"microct": np.load(folder / "points.npy"), "ct": np.load(folder / "truth.npy")}
    fixed = settings.get("fixed", "microct")
    moving = "ct" if fixed == "microct" else "microct"
    return {
        "fixed": scans[fixed], "moving": scans[moving],
        "points": points[fixed], "truth": points[moving],
    }  # fmt: skip


def run(prepared: dict) -> dict:
    """Register, and measure where the fixed image's points go."""
    parameters = itk.ParameterObject.New()
    rigid = parameters.GetDefaultParameterMap("rigid")
    rigid["AutomaticTransformInitialization"] = ["true"]
    parameters.AddParameterMap(rigid)
    _, found = itk.elastix_registration_method(
        prepared["fixed"], prepared["moving"], parameter_object=parameters,
        number_of_threads=1, log_to_console=False,
    )  # fmt: skip
    transform = _transform(found.GetParameterMap(0))
    moved = np.array([transform.TransformPoint(point) for point in prepared["points"].tolist()])
    return {"TRE mm": float(np.linalg.norm(moved - prepared["truth"], axis=1).mean())}


def _transform(found: dict) -> itk.Euler3DTransform:
    """Return elastix's EulerTransform, angles about x, y, z then a shift, as ITK's."""
    transform = itk.Euler3DTransform.New()
    transform.SetCenter([float(value) for value in found["CenterOfRotationPoint"]])
    angles_and_shift = [float(value) for value in found["TransformParameters"]]
    transform.SetParameters(itk.OptimizerParameters[itk.D](angles_and_shift))
    return transform
