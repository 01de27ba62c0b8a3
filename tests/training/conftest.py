"""Small trainings: in this process, and as a task in files, as the workflow runs it."""

import pytest
import torch

from otosynth.files import write_csv
from otosynth.methods import create_method
from otosynth.pairs import VOLUMES
from otosynth.patches import patch_table
from otosynth.training.arithmetic import resolve_arithmetic
from otosynth.training.batches import PatchReader
from otosynth.training.task import TrainingTask
from otosynth.training.trainer import Job, Trainer


@pytest.fixture
def make_task(pairs, normalisation, tiny_settings, tmp_path):
    """Write the pairs and tables once; return tasks that read them."""
    # Here: machines with GPUs may lack it, and run the tests of what GPUs compute.
    import SimpleITK as sitk

    from otosynth.volumes.writing import write_volume

    files = []
    for name, pair in pairs.items():
        for volume in VOLUMES:
            path = tmp_path / f"specimens/{name}/{volume}.nii"
            write_volume(sitk.GetImageFromArray(getattr(pair, volume)), path)
            files.append(str(path))
    write_csv(patch_table(pairs, 16, 4), tmp_path / "patches.tsv")
    normalisation.write(tmp_path / "normalisation.json")

    def make(method: str = "multi_task", processes: int = 1, **changes: object) -> TrainingTask:
        settings = tiny_settings(method, **changes).model_dump(mode="json", exclude={"title"})
        training = {"precision": "float32", "processes": processes, "state_minutes": 1e-4}
        return TrainingTask(
            method=method,
            group="A",
            seed=1,
            study_seed=7,
            settings=settings,
            training={"threads": 1, "device": "cpu", **training},
            pairs=tuple(files),
            mirrored=dict.fromkeys(pairs, False),
            training_table=str(tmp_path / "patches.tsv"),
            validation_table=str(tmp_path / "patches.tsv"),
            normalisation=str(tmp_path / "normalisation.json"),
            code={"scripts/train.py": "digest"},
            fold={"training": dict.fromkeys(pairs, "digest")},
        )

    return make


@pytest.fixture
def make_trainer(pairs, normalisation, tiny_settings, tmp_path):
    """Return trainers on small volumes, whose state lies in a folder of the test's own."""

    def make(
        method="multi_task", folder="state", precision="float32", minutes=10.0,
        petaflop=None, patience=None, recompute=False, cochlea=None, **changes,
    ):  # fmt: skip
        arithmetic = resolve_arithmetic("cpu", precision, threads=1)
        table = patch_table(pairs, 16, 4)
        if cochlea is not None:
            table["cochlea"] = cochlea
        reader = PatchReader(table, pairs, normalisation, arithmetic)
        title = f"{method}, group A, seed 1"
        job = Job(title, 7, tmp_path / folder, minutes, {}, petaflop, patience, recompute)
        settings = tiny_settings(method, **changes)
        return Trainer(create_method(settings), reader, reader, arithmetic, job)

    return make


@pytest.fixture
def stop_after(monkeypatch):
    """Let a trainer stop, as by Ctrl-C, when it has done so many steps."""

    def stop(trainer, steps):
        step, done = trainer._step, []

        def counted(batch, epoch):
            if len(done) == steps:
                raise KeyboardInterrupt
            done.append(batch)
            return step(batch, epoch)

        monkeypatch.setattr(trainer, "_step", counted)

    return stop


@pytest.fixture
def values_and_gradients():
    """Return a function that gives a convolution, and the gradients of its weighted sum."""

    def compute(convolve, *tensors):
        tensors = [t if t is None else t.clone().requires_grad_(True) for t in tensors]
        convolution = convolve(*tensors)
        weights = torch.linspace(0, 1, convolution.numel()).to(convolution)
        weights = weights.view(convolution.shape)
        (convolution * weights).sum().backward()
        return [convolution.detach(), *(t.grad for t in tensors if t is not None)]

    return compute
