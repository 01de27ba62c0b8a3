"""Values of DICOM: every transfer syntax, rescale alone, and what cannot be decoded."""

import imagecodecs
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_series import VOXELS, write_series
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from otosynth.errors import InputError
from otosynth.volumes.reading import read_volume


def values(folder) -> np.ndarray:
    return sitk.GetArrayFromImage(read_volume(folder))


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_uncompressed_and_deflated_files_are_read(tmp_path, syntax):
    np.testing.assert_array_equal(values(write_series(tmp_path, syntax)), VOXELS)


def test_big_endian_files_are_read(tmp_path):
    def edit(data: Dataset, z: int) -> None:
        data.PixelData = VOXELS[z].astype(">i2").tobytes()

    np.testing.assert_array_equal(values(write_series(tmp_path, ExplicitVRBigEndian, edit)), VOXELS)


def test_run_length_encoded_files_are_read(tmp_path):
    def edit(data: Dataset, z: int) -> None:
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless)

    np.testing.assert_array_equal(values(write_series(tmp_path, RLELossless, edit)), VOXELS)


def compressed(encode):
    """Return an edit of a slice that compresses its pixels."""

    def edit(data: Dataset, z: int) -> None:
        data.PixelData = encapsulate([encode(VOXELS[z])])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True

    return edit


def unsigned(plane: np.ndarray) -> np.ndarray:
    return plane.view(np.uint16)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [
        (JPEGLSLossless, lambda p: imagecodecs.jpegls_encode(unsigned(p))),
        (JPEG2000Lossless, lambda p: imagecodecs.jpeg2k_encode(p, level=0, reversible=True)),
        # The codec's own sign and the header's differ in many files.
        (
            JPEG2000Lossless,
            lambda p: imagecodecs.jpeg2k_encode(unsigned(p), level=0, reversible=True),
        ),
        (JPEGLosslessSV1, lambda p: imagecodecs.ljpeg_encode(unsigned(p), bitspersample=16)),
        (
            JPEGLossless,
            lambda p: imagecodecs.jpeg8_encode(unsigned(p), lossless=True, bitspersample=16),
        ),
    ],
)
def test_lossless_compression_gives_the_numbers_that_were_written(tmp_path, syntax, encode):
    np.testing.assert_array_equal(
        values(write_series(tmp_path, syntax, compressed(encode))), VOXELS
    )


def test_damaged_compressed_pixels_are_refused(tmp_path):
    def cut(plane: np.ndarray) -> bytes:
        return imagecodecs.jpeg2k_encode(plane, level=0, reversible=True)[:60]

    write_series(tmp_path, JPEG2000Lossless, compressed(cut))
    with pytest.raises(InputError, match=r"0\.dcm: its pixels, compressed by JPEG 2000.*decoded"):
        read_volume(tmp_path)


def test_a_film_is_refused_by_its_name(tmp_path):
    write_series(tmp_path, MPEG2MPML, compressed(lambda plane: b"film"))
    with pytest.raises(InputError, match=r"compressed by MPEG2 .*not supported; .*uncompressed"):
        read_volume(tmp_path)


def test_how_an_image_is_shown_does_not_change_its_values(tmp_path):
    shown = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 40, "WindowWidth": 80}
    np.testing.assert_array_equal(values(write_series(tmp_path, **shown)), VOXELS)


def test_each_slice_has_its_own_slope(tmp_path):
    def edit(data: Dataset, z: int) -> None:
        data.RescaleSlope, data.RescaleIntercept = 1 + 0.5 * z, -10 * z

    expected = [VOXELS[z] * (1 + 0.5 * z) - 10 * z for z in range(len(VOXELS))]
    np.testing.assert_array_equal(values(write_series(tmp_path, edit=edit)), np.float32(expected))


def test_bits_above_those_stored_do_not_count(tmp_path):
    """They hold overlays in older files."""
    of_12_bits = VOXELS.clip(-2048, 2047)

    def edit(data: Dataset, z: int) -> None:
        data.PixelData = (of_12_bits[z].view(np.uint16) & 0x0FFF | 0x5000).tobytes()
        data.BitsStored, data.HighBit = 12, 11

    np.testing.assert_array_equal(values(write_series(tmp_path, edit=edit)), of_12_bits)


@pytest.mark.parametrize("change", [-8, 8])
def test_another_number_of_pixels_than_announced_is_refused(tmp_path, change):
    length = VOXELS[0].nbytes

    def edit(data: Dataset, z: int) -> None:
        data.PixelData = (data.PixelData + bytes(8))[: length + change]

    write_series(tmp_path, edit=edit)
    with pytest.raises(InputError, match=rf"has {length + change} bytes of pixels .* {length};"):
        read_volume(tmp_path)


def test_values_by_a_table_are_refused(tmp_path):
    def edit(data: Dataset, z: int) -> None:
        table = Dataset()
        table.LUTDescriptor = [2, 0, 16]
        table.add_new("LUTData", "OW", b"1234")
        data.ModalityLUTSequence = [table]

    with pytest.raises(InputError, match=r"by a table \(Modality LUT\)"):
        read_volume(write_series(tmp_path, edit=edit))


def test_a_slope_of_0_is_refused(tmp_path):
    with pytest.raises(InputError, match="rescale slope is 0"):
        read_volume(write_series(tmp_path, RescaleSlope=0))


def test_pydicom_gives_the_same_values(tmp_path):
    write_series(tmp_path, RescaleSlope=2.5, RescaleIntercept=-1000)
    files = [pydicom.dcmread(tmp_path / f"{z}.dcm") for z in range(len(VOXELS))]
    expected = [pydicom.pixels.apply_rescale(file.pixel_array, file) for file in files]
    np.testing.assert_array_equal(values(tmp_path), np.float32(expected))
