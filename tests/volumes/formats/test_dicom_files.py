"""What lies in a DICOM folder: files without signature, other objects, truncated ones."""

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from dicom_series import SERIES, VOXELS, save, slice_of, without_preamble, write_series
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

from otosynth.errors import InputError
from otosynth.volumes.formats import format_of
from otosynth.volumes.reading import read_scan_header, read_volume


def values(folder) -> np.ndarray:
    return sitk.GetArrayFromImage(read_volume(folder))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_files_without_preamble_are_known_by_their_first_tag(tmp_path, syntax):
    write_series(tmp_path, syntax)
    for path in sorted(tmp_path.iterdir()):
        without_preamble(path)
    (tmp_path / "notes").write_text("scanned on a Monday")
    np.testing.assert_array_equal(values(tmp_path), VOXELS)


def document(sop_class: str, number: int) -> Dataset:
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = sop_class, f"{SERIES}.9.{number}"
    data.SeriesInstanceUID = f"{SERIES}.9"
    return data


def test_other_objects_beside_the_series_are_left_out_and_said(tmp_path):
    write_series(tmp_path)
    save(document(BasicTextSRStorage, 1), tmp_path / "report.dcm")
    save(document(KeyObjectSelectionDocumentStorage, 2), tmp_path / "key")
    overview = {
        "SeriesInstanceUID": f"{SERIES}.7",
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
    }
    save(slice_of(0, **overview), tmp_path / "overview.dcm")
    screen = {"SeriesInstanceUID": f"{SERIES}.8", "ImagePositionPatient": None}
    save(slice_of(0, SOPClassUID=SecondaryCaptureImageStorage, **screen), tmp_path / "screen.dcm")
    tifffile.imwrite(tmp_path / "preview.tif", np.zeros((8, 8), np.uint8))
    np.testing.assert_array_equal(values(tmp_path), VOXELS)
    said = " ".join(read_scan_header(tmp_path).remarks)
    for name in ("report.dcm", "key", "overview.dcm", "screen.dcm", "Basic Text SR"):
        assert name in said


def test_an_object_without_pixels_at_a_slice_s_place_is_left_out(tmp_path):
    write_series(tmp_path)
    data = slice_of(2)
    del data.PixelData
    save(data, tmp_path / "empty.dcm")
    np.testing.assert_array_equal(values(tmp_path), VOXELS)


def test_reports_alone_are_no_scan(tmp_path):
    save(document(BasicTextSRStorage, 1), tmp_path / "report.dcm")
    with pytest.raises(InputError, match=r"hold no image \(Basic Text SR Storage\)"):
        read_volume(tmp_path)


def test_two_series_are_refused_with_what_they_are(tmp_path):
    write_series(tmp_path, SeriesDescription="sharp")
    save(slice_of(0, SeriesInstanceUID=f"{SERIES}.7"), tmp_path / "other.dcm")
    with pytest.raises(InputError, match=r"holds 2 DICOM series .*: 8 images, sharp; .*: 1 im"):
        read_volume(tmp_path)


@pytest.mark.parametrize("z", [4, 7])
@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (0, "is no DICOM file, or is truncated"),
        (140, "is no DICOM file, or is truncated"),
        (400, "has no pixels, .*CT Image Storage.*copy it again"),
        (-100, r"is truncated: \d+ bytes where its header goes on to byte \d+"),
        (-20, r"is truncated: \d+ bytes where its pixels end at byte \d+"),
    ],
)
def test_a_truncated_slice_is_never_left_out(tmp_path, z, kept, message):
    """The last slice is the one that would not be missed."""
    path = write_series(tmp_path) / f"{z}.dcm"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=rf"{z}\.dcm: {message}"):
        read_volume(tmp_path)


def test_a_file_that_is_no_dicom_is_named(tmp_path):
    (write_series(tmp_path) / "other.dcm").write_bytes(b"junk" * 100)
    with pytest.raises(InputError, match=r"other\.dcm: is no DICOM file"):
        read_volume(tmp_path)


def test_dicom_beside_a_tiff_stack_is_refused(tmp_path):
    write_series(tmp_path)
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.zeros((8, 8), np.uint8))
    assert format_of(tmp_path).name == "dicom"
    (tmp_path / "spacing.json").write_text('{"spacing_mm": [0.1, 0.1, 0.1]}')
    with pytest.raises(InputError, match=r"TIFF slices with spacing\.json and DICOM files"):
        read_volume(tmp_path)
