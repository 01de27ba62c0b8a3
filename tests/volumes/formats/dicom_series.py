"""DICOM files written by pydicom from numbers, for tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

SERIES = "1.2.826.0.1.3680043.2.1125.1"
VOXELS = np.random.default_rng(3).integers(-1024, 3000, (8, 6, 7)).astype(np.int16)
SPACING_MM = (0.3, 0.4, 0.5)


def slice_of(z: int, **tags: Any) -> Dataset:
    """Return slice z of ``VOXELS``; a tag given as None is left out."""
    data = Dataset()
    values = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{SERIES}.{z}",
        "SeriesInstanceUID": SERIES,
        "StudyInstanceUID": "1.2.3",
        "Modality": "CT",
        "PatientName": "A^B",
        "PatientID": "P7",
        "InstanceNumber": z + 1,
        "ImagePositionPatient": [-20.5, 33.25, SPACING_MM[2] * z],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [SPACING_MM[1], SPACING_MM[0]],
        "Rows": VOXELS.shape[1],
        "Columns": VOXELS.shape[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "RescaleSlope": 1,
        "RescaleIntercept": 0,
    }
    for keyword, value in (values | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    if "PixelData" not in data:
        data.PixelData = VOXELS[z % len(VOXELS)].tobytes()
    data["PixelData"].VR = "OW"
    return data


def save(data: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a data set as a DICOM file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = data.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path,
    syntax: UID = ExplicitVRLittleEndian,
    edit: Callable[[Dataset, int], None] = lambda data, z: None,
    slices: range = range(len(VOXELS)),
    **tags: Any,
) -> Path:
    """Write slices 0.dcm, 1.dcm, ..., each after ``edit(data, z)``."""
    for z in slices:
        data = slice_of(z, **tags)
        edit(data, z)
        save(data, folder / f"{z}.dcm", syntax)
    return folder


def write_enhanced(path: Path, order: list[int], **tags: Any) -> Path:
    """Write all slices into one file in some order; slice 3 has a slope of 2, all -10 added."""
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [SPACING_MM[1], SPACING_MM[0]]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    frames = []
    for z in order:
        frame, position, values = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-20.5, 33.25, SPACING_MM[2] * z]
        values.RescaleSlope, values.RescaleIntercept = 2 if z == 3 else 1, -10
        frame.PlanePositionSequence = [position]
        frame.PixelValueTransformationSequence = [values]
        frames.append(frame)
    of_frames = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope",
                 "RescaleIntercept")  # fmt: skip
    data = slice_of(0, PixelData=VOXELS[order].tobytes(), **dict.fromkeys(of_frames))
    data.SOPClassUID, data.NumberOfFrames = EnhancedCTImageStorage, len(order)
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = frames
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    save(data, path)
    return path


def without_preamble(path: Path) -> Path:
    """Write a file's data set alone, under a name without ending."""
    data = path.read_bytes()
    after_meta = 144 + int.from_bytes(data[140:144], "little")
    bare = path.with_suffix("")
    bare.write_bytes(data[after_meta:])
    path.unlink()
    return bare
