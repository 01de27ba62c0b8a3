"""Values of DICOM images: decoded as stored, then rescaled by slope and intercept alone.

Photometric interpretation, windows and presentation tables say how an image is shown, not what its
values are, and are left out of account. pydicom decodes what is uncompressed, deflated or
run-length encoded; imagecodecs decodes JPEG of all kinds.
"""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)  # fmt: skip

from otosynth.errors import InputError
from otosynth.volumes.formats.dicom_files import DicomFile, told
from otosynth.volumes.formats.dicom_planes import Plane, frames_of

DECODERS: dict[str, Callable[[bytes], np.ndarray]] = {
    JPEGBaseline8Bit: imagecodecs.jpeg_decode,
    JPEGExtended12Bit: imagecodecs.jpeg_decode,
    JPEGLossless: imagecodecs.jpeg_decode,
    JPEGLosslessSV1: imagecodecs.jpeg_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
    JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    JPEG2000: imagecodecs.jpeg2k_decode,
    HTJ2KLossless: imagecodecs.jpeg2k_decode,
    HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
    HTJ2K: imagecodecs.jpeg2k_decode,
}
BITS = (8, 16, 32)
# Without these nothing says what the stored bytes are.
OF_PIXELS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation",
)  # fmt: skip


def values_of(file: DicomFile, planes: list[Plane]) -> np.ndarray:
    """Return the values of some planes of one file (planes, rows, columns; float32).

    Raises
    ------
    InputError
        If the pixels cannot be decoded, or are fewer than the header says.
    """
    with told(file.path, "its pixels cannot be decoded"):
        stored = _stored(file)
    values = np.empty((len(planes), *stored.shape[1:]), np.float32)
    for value, plane in zip(values, planes, strict=True):
        # In double precision, since 16 stored bits and a slope take more than 24.
        value[:] = stored[plane.frame] * np.float64(plane.slope) + plane.intercept
    return values


def _stored(file: DicomFile) -> np.ndarray:
    """Return the stored values of a file (frames, rows, columns)."""
    path = file.path
    tags = pydicom.dcmread(path, force=True)
    syntax = _syntax(tags)
    _refuse_missing(path, tags)
    if not syntax.is_transfer_syntax:
        raise InputError(
            f"{path}: states a transfer syntax that there is not ({str(syntax)!r}), so its header "
            "is damaged; copy or export it again."
        )
    shape = (frames_of(file), int(tags.Rows), int(tags.Columns))
    bits, used = int(tags.BitsAllocated), int(tags.BitsStored)
    if bits not in BITS or not 0 < used <= bits or int(tags.HighBit) != used - 1:
        raise InputError(
            f"{path}: stores {used} bits of {bits} up to bit {tags.HighBit}, which is not "
            "supported; export it with 16 bits."
        )
    if syntax.is_encapsulated and syntax != RLELossless:
        return _signed(_decoded(file, tags, syntax, shape), tags, used)
    needed, there = int(np.prod(shape)) * bits // 8, len(tags.PixelData)
    # An odd number of bytes is filled up by one.
    if syntax != RLELossless and not needed <= there <= needed + 1:
        raise InputError(
            f"{path}: has {there} bytes of pixels where its header announces {needed}; copy or "
            "export it again."
        )
    return _signed(tags.pixel_array.reshape(shape), tags, used)


def _refuse_missing(path: Path, tags: pydicom.FileDataset) -> None:
    """Refuse an image that does not say how its pixels are stored."""
    missing = [keyword for keyword in OF_PIXELS if tags.get(keyword) in (None, "")]
    if missing:
        raise InputError(
            f"{path}: lacks its DICOM tag {missing[0]}, so its pixels' values cannot be told; copy "
            "or export it again."
        )


def _syntax(tags: pydicom.FileDataset) -> pydicom.uid.UID:
    """Return the transfer syntax; of a data set without preamble, the one that pydicom found."""
    if "TransferSyntaxUID" not in tags.file_meta:
        implicit, little = tags.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        tags.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return tags.file_meta.TransferSyntaxUID


def _decoded(
    file: DicomFile, tags: pydicom.FileDataset, syntax: pydicom.uid.UID, shape: tuple[int, int, int]
) -> np.ndarray:
    """Decode the frames of a compressed file."""
    path = file.path
    if syntax not in DECODERS:
        raise InputError(
            f"{path}: is compressed by {syntax.name}, which is not supported; export the series "
            "uncompressed."
        )
    with told(path, f"its pixels, compressed by {syntax.name}, cannot be decoded"):
        frames = list(generate_frames(tags.PixelData, number_of_frames=shape[0]))
        decoded = np.stack([DECODERS[syntax](frame) for frame in frames])
    if decoded.shape != shape:
        raise InputError(
            f"{path}: its pixels are {' x '.join(map(str, decoded.shape))} where its header "
            f"announces {' x '.join(map(str, shape))}; export it again."
        )
    return decoded


def _signed(stored: np.ndarray, tags: pydicom.FileDataset, used: int) -> np.ndarray:
    """Take the bits in use as a number with or without sign, as PixelRepresentation says.

    Codecs do not know of it, and the bits above may hold overlays.
    """
    bits = 8 * stored.dtype.itemsize
    native = stored.astype(stored.dtype.newbyteorder("="), order="C", copy=False)
    unsigned = native.view(f"u{stored.dtype.itemsize}")
    if not int(tags.PixelRepresentation):
        return unsigned & (2**used - 1)
    above = bits - used
    return np.left_shift(unsigned, above).view(f"i{stored.dtype.itemsize}") >> above
