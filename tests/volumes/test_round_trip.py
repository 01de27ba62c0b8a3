"""A scan that is read and written back lies where it lay, in every format and order of axes."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from fuzz import dicom, metaimage, nifti, nrrd, tiff
from fuzz.common import AXIS_ORDERS, Scan, rotation
from fuzz.judge import difference, reading_of

from otosynth.volumes.formats import source_of, write_as
from otosynth.volumes.grids import Grid
from otosynth.volumes.reading import read_slabs, read_volume

OBLIQUE = rotation((0.1, -0.2, 0.3))
MODULES = {"nifti": nifti, "nrrd": nrrd, "metaimage": metaimage, "tiff": tiff, "dicom": dicom}
KINDS = {"dicom": np.int16, "tiff": np.float32}


def scan(order: np.ndarray, kind: type) -> Scan:
    """A bright corner, a bright edge and a ramp: no turn or mirror image of it is itself."""
    x, y, z = np.indices((7, 6, 5))
    values = (x + 10 * y + 100 * z - 300).astype(kind)
    values[0, 0, 0], values[0, 0, 1:] = 1500, 900
    return Scan(values, np.array([0.3, 0.25, 0.5]), np.array([-21.5, 33.25, 8.0]), order)


@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE], ids=["straight", "oblique"])
@pytest.mark.parametrize("name", MODULES)
def test_a_scan_written_back_lies_where_it_lay(tmp_path, name, turn):
    module = MODULES[name]
    for number, order in enumerate(AXIS_ORDERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        draft = module.draft(
            np.random.default_rng(number), scan(turn @ order, KINDS.get(name, np.float32))
        )
        path = module.write(draft, folder)
        image = read_volume(path)
        written = write_as(image, folder / "back", source_of(path), "written back")
        for file in (path, written):
            _assert_where_it_lay(module.independent(file), draft.scan, name)
            _assert_where_it_lay(reading_of(read_volume(file)), draft.scan, name)
            _assert_whole_equals_slabs(file)
        assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) > 0


def _assert_where_it_lay(read, written: Scan, name: str) -> None:
    # A derived series keeps its values in 16 bits: half a step of the largest.
    step = np.abs(written.values).max() / 2**15 if name == "dicom" else 0.0
    assert not isinstance(read, Exception | str), read
    assert difference(read, written.reading, 1e-4, step) == ""
    if name != "dicom":
        assert sorted(read.values.ravel()) == sorted(written.values.ravel())


def _assert_whole_equals_slabs(path: Path) -> None:
    image = read_volume(path)
    grid, slabs = read_slabs(path)
    voxels = np.concatenate(list(slabs))
    assert grid == Grid.of(image)
    assert voxels.dtype == np.float32
    assert voxels.tobytes() == sitk.GetArrayViewFromImage(image).tobytes()
