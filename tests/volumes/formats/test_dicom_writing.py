"""What a derived DICOM series takes over from its source."""

import pydicom
import pytest
from dicom_series import write_series

from otosynth.volumes.formats import source_of, write_as
from otosynth.volumes.reading import read_volume


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Müller^Jörg"),
        ("ISO_IR 144", "Люкceмбypг"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_the_patient_matches_in_every_character_set(tmp_path, character_set, name):
    write_series(tmp_path / "ct", SpecificCharacterSet=character_set, PatientName=name)
    source = source_of(tmp_path / "ct")
    folder = write_as(read_volume(tmp_path / "ct"), tmp_path / "microct", source, "synthetic")
    scan = pydicom.dcmread(tmp_path / "ct/0.dcm")
    for path in folder.iterdir():
        written = pydicom.dcmread(path)
        assert written.PatientName == scan.PatientName == name
        assert written.SpecificCharacterSet == scan.SpecificCharacterSet
        assert written.get_item("PatientName").value == scan.get_item("PatientName").value
    assert read_volume(folder).GetSize() == read_volume(tmp_path / "ct").GetSize()


def test_ascii_needs_no_character_set(tmp_path):
    write_series(tmp_path / "ct", SpecificCharacterSet="ISO_IR 100")
    source = source_of(tmp_path / "ct")
    folder = write_as(read_volume(tmp_path / "ct"), tmp_path / "microct", source, "synthetic")
    written = pydicom.dcmread(folder / "0000.dcm")
    assert written.PatientName == "A^B"
    assert "SpecificCharacterSet" not in written
