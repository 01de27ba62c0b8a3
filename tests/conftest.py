"""Small volumes and settings that many tests share."""

import json

import numpy as np
import pytest
import torch

from otosynth.configuration.methods import method_settings
from otosynth.configuration.methods.base import MethodSettings
from otosynth.configuration.methods.gan import LossWeights
from otosynth.normalisation import Normalisation, Window
from otosynth.pairs import Pair

WEIGHTS = {
    "single_task": LossWeights(adversarial=1, weighted_l1=5, perception=10, dice=0),
    "multi_task": LossWeights(adversarial=1, weighted_l1=5, perception=5, dice=10),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=25, help="How often test_killed.py stops it.")
    parser.addoption("--kill-seed", type=int, help="Repeats the moments of a run that failed.")
    parser.addoption(
        "--study", choices=["miniature", "phantom"], default="miniature",
        help="What test_killed.py stops: the study in miniature or the default study.",
    )  # fmt: skip
    parser.addoption(
        "--rewrite-reruns", action="store_true",
        help="Let test_reruns.py rewrite docs/reruns.tsv by what it finds.",
    )  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the workflow's tests come first, and leave out those for GPUs where there is none.

    The workflow's take longest; so all processes end together.
    """
    workflow = config.rootpath / "tests/workflow"
    items.sort(key=lambda item: not item.path.is_relative_to(workflow))
    for_gpus = [item for item in items if item.get_closest_marker("gpu")]
    if for_gpus and not torch.cuda.is_available():
        # Kernels for tensor cores, captured graphs and norms of CUDA have no counterpart on a CPU.
        skip = pytest.mark.skip(reason="needs a CUDA GPU (docs/cluster.md says how to run it)")
        for item in for_gpus:
            item.add_marker(skip)


def make_pair(seed: int, edge: int = 40) -> Pair:
    """Nested balls: a blurry CT, a sharp micro-CT, its classes and a border outside the mask."""
    random = np.random.default_rng(seed)
    axis = np.arange(edge) - edge / 2 + random.uniform(-2, 2)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2)
    classmap = np.where(radius < edge / 6, 0, np.where(radius < edge / 3, 1, 2)).astype(np.uint8)
    microct = np.choose(classmap, [0.0, 0.4, 1.0]) + random.normal(0, 0.02, classmap.shape)
    mask = np.ones(classmap.shape, np.uint8)
    mask[:3] = 0
    return Pair(
        ct=(2000 * microct - 1000).astype(np.float32),
        microct=microct.astype(np.float32),
        mask=mask,
        classmap=classmap,
        cochlea=(np.abs(radius - edge / 3) < 2).astype(np.uint8),
    )


@pytest.fixture
def pairs() -> dict[str, Pair]:
    return {"E1": make_pair(1), "E2": make_pair(2)}


@pytest.fixture
def normalisation() -> Normalisation:
    return Normalisation(Window(-1000, 1000), Window(0, 1), ("E1", "E2"))


@pytest.fixture
def phantom_landmarks():
    """Landmarks of a phantom ear, as a person sets them who sees scala tympani and the modiolus."""

    def write(specimen, side, settings, seed, file):
        # Here: machines with GPUs may lack SimpleITK, and run the tests of what GPUs compute.
        from otosynth.field.phantom_lines import phantom_lines
        from otosynth.phantom.anatomy import Anatomy
        from otosynth.phantom.variation import draw_variation

        anatomy = Anatomy(draw_variation(specimen, seed, settings), side)
        tympani = phantom_lines(specimen, side, settings, seed).scala_tympani.points
        axis = anatomy.from_ear(anatomy.cochlea.to_ear(np.array([[0.0, 0, 0], [0, 0, 3]])))
        landmarks = {f"S{k}": p for k, p in enumerate(tympani[::10].tolist(), start=1)}
        landmarks |= {"M1": axis[0].tolist(), "M2": axis[1].tolist()}
        points = [{"label": k, "position": p} for k, p in landmarks.items()]
        markups = [{"coordinateSystem": "LPS", "controlPoints": points}]
        file.write_text(json.dumps({"markups": markups}))
        return file

    return write


@pytest.fixture
def tiny_settings():
    """Settings of a method so small that a step takes milliseconds."""

    def make(method: str, **changes: object) -> MethodSettings:
        keys: dict[str, object] = {
            "title": method,
            "width": 4,
            "residual_blocks": 1,
            "discriminator_blocks": 2,
            "loss_weights": WEIGHTS[method].model_dump(),
            "epochs": 4,
            "constant_epochs": 2,
            "steps_per_epoch": 3,
            "checkpoint_every": 2,
        }
        return method_settings(method, keys | changes)

    return make
