"""A training as a task in files, as the workflow and torch's launcher run it."""

import pytest
import SimpleITK as sitk

from otosynth.files import write_csv
from otosynth.patches import patch_table
from otosynth.training.task import TrainingTask
from otosynth.volumes.writing import write_volume


@pytest.fixture
def make_task(pairs, normalisation, tiny_settings, tmp_path):
    """Write the pairs and tables once; return tasks that read them."""
    files = []
    for name, pair in pairs.items():
        for volume in ("ct", "microct", "mask", "classmap"):
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
