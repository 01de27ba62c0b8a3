"""What is derived from a scan is written in the scan's own format, and can be read again."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import HALF_WRITTEN
from otosynth.volumes.formats import Source, source_of, write_as
from otosynth.volumes.formats.dicom import DERIVATION
from otosynth.volumes.itk_io import read_header
from otosynth.volumes.reading import read_volume

OBLIQUE = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()
FORMATS = ("nifti", "nrrd", "metaimage", "tiff", "dicom")


def volume(kind=np.float32) -> sitk.Image:
    random = np.random.default_rng(1)
    values = random.uniform(-0.003, 0.064, (5, 6, 7)) if kind == np.float32 else (
        random.integers(0, 3, (5, 6, 7))
    )  # fmt: skip
    image = sitk.GetImageFromArray(values.astype(kind))
    image.SetSpacing((0.12, 0.13, 0.25))
    image.SetOrigin((-20.5, 33.25, 7.5))
    image.SetDirection(OBLIQUE)
    return image


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
@pytest.mark.parametrize("name", FORMATS)
def test_a_volume_comes_back_with_its_geometry(tmp_path, name, kind):
    image = volume(kind)
    path = write_as(image, tmp_path / "microct", Source(name, {}), "synthetic")
    again = read_volume(path)
    step = 0.07 / 2**16 if name == "dicom" else 1e-7
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image), atol=step
    )
    assert again.GetSpacing() == pytest.approx(image.GetSpacing(), abs=1e-5)
    assert again.GetOrigin() == pytest.approx(image.GetOrigin(), abs=1e-4)
    assert again.GetDirection() == pytest.approx(image.GetDirection(), abs=1e-5)
    assert source_of(path).format == name
    assert not list(tmp_path.glob(f"{HALF_WRITTEN}*"))


def test_a_derived_series_is_of_the_patient_and_the_study_and_no_original(tmp_path):
    tags = {"0010|0020": "P 7", "0020|000d": "1.2.3.4"}
    path = write_as(volume(), tmp_path / "microct", Source("dicom", tags), "Synthetic micro-CT")
    reader = sitk.ImageFileReader()
    uids = set()
    for file in sorted(path.iterdir()):
        reader.SetFileName(str(file))
        reader.ReadImageInformation()
        uids.add((reader.GetMetaData("0008|0018"), reader.GetMetaData("0020|000e")))
        assert reader.GetMetaData("0010|0020").strip() == "P 7"
        assert reader.GetMetaData("0020|000d").strip("\0 ") == "1.2.3.4"
        assert reader.GetMetaData("0008|0008").startswith("DERIVED\\SECONDARY")
        assert reader.GetMetaData("0008|103e").strip() == "Synthetic micro-CT"
    # One series; every slice is an object of its own.
    assert len(uids) == 5
    assert len({series for _, series in uids}) == 1
    assert source_of(path).tags["0010|0020"].strip() == "P 7"


def test_a_series_is_the_same_bytes_each_time_and_another_volume_is_another_series(tmp_path):
    source = Source("dicom", {})
    one, same = (write_as(volume(), tmp_path / name, source, "a") for name in ("one", "same"))
    other = write_as(volume() + 1, tmp_path / "other", source, "a")
    # As the masks of both ears of a patient.
    elsewhere = volume()
    elsewhere.SetOrigin((20.5, 33.25, 7.5))
    places = [write_as(elsewhere, tmp_path / "elsewhere", source, "a"), one]
    assert len({read_header(place / "0000.dcm").GetMetaData("0020|000e") for place in places}) == 2
    for file in one.iterdir():
        assert file.read_bytes() == (same / file.name).read_bytes()
    assert (one / "0000.dcm").read_bytes() != (other / "0000.dcm").read_bytes()


def test_a_series_says_how_it_was_derived(tmp_path):
    for tags, said in (({}, "Predicted by a neural network"), ({DERIVATION: "Drawn"}, "Drawn")):
        path = write_as(volume(), tmp_path / "microct", Source("dicom", tags), "a")
        assert read_header(path / "0000.dcm").GetMetaData(DERIVATION).startswith(said)


def test_a_folder_of_slices_is_made_anew(tmp_path):
    source = Source("tiff", {})
    folder = write_as(volume(), tmp_path / "microct", source, "")
    write_as(volume()[:, :, :3], tmp_path / "microct", source, "")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("0000.tif", "0001.tif", "0002.tif", "spacing.json")
    ]
    assert json.loads((folder / "spacing.json").read_text())["spacing_mm"] == [0.12, 0.13, 0.25]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((InputError, OSError), match="file"):
        write_as(volume(), tmp_path / "file" / "microct", Source("nrrd", {}), "")
