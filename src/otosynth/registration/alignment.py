"""One stage of an intensity registration: from a pose to a better one, with its metric trace."""

from dataclasses import dataclass, field

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.registration.geometry import as_euler, centre_of

# Of a step's length, what is left where the slope turns. Half of it would end the descent early in
# a narrow valley: 20 um beside the optimum in place of 5 (tests/registration).
RELAXATION = 0.8


@dataclass
class Trace:
    """Metric of every iteration, in the order computed."""

    rows: list[dict[str, object]] = field(default_factory=list)

    def follow(self, method: sitk.ImageRegistrationMethod, stage: str, level: int) -> None:
        """Note the metric after each iteration of ``method``."""

        def note() -> None:
            self.rows.append(
                {
                    "stage": stage,
                    "level": level,
                    "iteration": method.GetOptimizerIteration(),
                    "metric": method.GetMetricValue(),
                }
            )

        method.AddCommand(sitk.sitkIterationEvent, note)


def repeatable_method(
    fixed: sitk.Image, max_samples: int, seed: int
) -> sitk.ImageRegistrationMethod:
    """ITK registration that gives the same bytes every time; the caller adds the metric.

    All fixed voxels are used; of more than ``max_samples`` a random part drawn with ``seed``.
    One thread and one piece of work, because the order in which the pieces' sums are added,
    hence the last digits, changes from run to run.
    """
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricUseFixedImageGradientFilter(False)
    method.SetMetricUseMovingImageGradientFilter(False)
    if fixed.GetNumberOfPixels() > max_samples:
        method.SetMetricSamplingStrategy(method.RANDOM)
        # ITK takes a 32-bit seed.
        method.SetMetricSamplingPercentage(max_samples / fixed.GetNumberOfPixels(), seed % 2**31)
    return method


def descend(
    method: sitk.ImageRegistrationMethod,
    iterations: int,
    step_mm: float,
    smallest_step_mm: float,
) -> None:
    """Optimise by gradient descent with steps of a set length, shortened where the slope turns.

    One evaluation of the metric a step; a search along each line would take a dozen. The length
    is in mm where the method's scales make it so (see `align_rigid`).
    """
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm,
        minStep=smallest_step_mm,
        numberOfIterations=iterations,
        relaxationFactor=RELAXATION,
        gradientMagnitudeTolerance=1e-8,
    )


def align_rigid(
    method: sitk.ImageRegistrationMethod,
    fixed: sitk.Image,
    moving: sitk.Image,
    initial: sitk.Transform,
    iterations: int,
    step_mm: float,
    smallest_step_mm: float,
) -> tuple[sitk.Euler3DTransform, float]:
    """Improve a rigid pose by gradient descent.

    The pose is optimised as a small correction of ``initial``: Euler angles near zero have no
    gimbal lock, however large the rotation found by the search.

    Parameters
    ----------
    method : metric and sampling, from `repeatable_method`
    fixed, moving : images, float32
    initial : takes a fixed point to a moving point
    iterations : most iterations of the optimiser
    step_mm, smallest_step_mm : by which the pose moves first, and below which it ends

    Returns
    -------
    transform : takes a fixed point to a moving point
    metric : its value after the last iteration (lower is better)
    """
    centre = centre_of(fixed)
    correction = sitk.Euler3DTransform()
    correction.SetCenter(centre.tolist())
    start = as_euler(initial, centre)
    method.SetMovingInitialTransform(start)
    method.SetInitialTransform(correction, inPlace=True)
    # A rotation counts by how far it moves a voxel at the mean distance from the centre.
    method.SetOptimizerScales([mean_radius_mm(fixed) ** 2] * 3 + [1.0] * 3)
    descend(method, iterations, step_mm, smallest_step_mm)
    execute(method, fixed, moving)
    found = as_euler(sitk.CompositeTransform([start, correction]), centre)
    return found, float(method.GetMetricValue())


def mean_radius_mm(image: sitk.Image) -> float:
    """Half of half the diagonal: about the mean distance of a voxel from the centre, in mm."""
    return float(np.linalg.norm(np.array(image.GetSize()) * image.GetSpacing()) / 4)


def execute(method: sitk.ImageRegistrationMethod, fixed: sitk.Image, moving: sitk.Image) -> None:
    """Run a registration; what ITK cannot compute is a matter of the input.

    Raises
    ------
    InputError
        The metric could not be evaluated, because the images hardly overlap or are constant.
    """
    try:
        method.Execute(fixed, moving)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            "The registration could not compare the two scans: they hardly overlap or one of "
            f"them is constant. Check the pair and its initial transform. (ITK: {reason})"
        ) from error
