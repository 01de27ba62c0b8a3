"""DICOM images as planes: where each lies and how its stored values are rescaled.

An image is one plane, or, enhanced multi-frame, as many as it has frames; their tags then stand in
functional groups, of each frame or shared by all.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otosynth.errors import InputError
from otosynth.volumes.formats.dicom_files import DicomFile, told, value_of
from otosynth.volumes.formats.rules import check_spacing, refuse_contradiction, sizes_text
from otosynth.volumes.stated import Stated

# Two statements of one length agree to this part of it.
AGREEMENT = 0.01
# Which end of the values is shown white is of no account.
GREY = ("MONOCHROME1", "MONOCHROME2")
# Directions are written with few decimals: so far they are set right, and beyond refused.
ROUNDED_ANGLE, LARGEST_ANGLE = 1e-5, 1e-3
# Nothing in a scanner is farther, nor any value larger; damage may be.
LARGEST_NUMBER = 1e9
# The words of believe.
PIXEL_SPACING, AT_DETECTOR = "pixel-spacing", "imager-pixel-spacing"
TAGS = {
    "ImagePositionPatient": "0020,0032",
    "ImageOrientationPatient": "0020,0037",
    "PixelSpacing": "0028,0030",
    "ImagerPixelSpacing": "0018,1164",
    "RescaleSlope": "0028,1053",
    "RescaleIntercept": "0028,1052",
    "SpacingBetweenSlices": "0018,0088",
}


@dataclass(frozen=True)
class Plane:
    """One slice; lengths in mm, directions and positions LPS.

    Attributes
    ----------
    file
        The file that it is in.
    frame
        Which plane of the file, counted from 0.
    size
        Columns, rows.
    rows_columns
        Directions in which columns and rows count up.
    pixel_mm
        Distance of rows, then of columns, as PixelSpacing gives them.
    rounding_mm
        How far off a coordinate of the position may be by its number of decimals.
    between_mm
        Distance of slices that the header states; None if it does not.
    slope, intercept
        Value = slope x stored + intercept.
    """

    file: DicomFile
    frame: int
    size: tuple[int, int]
    position_mm: np.ndarray
    rows_columns: np.ndarray
    pixel_mm: np.ndarray
    rounding_mm: float
    between_mm: float | None
    slope: float
    intercept: float

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.file.path

    @property
    def name(self) -> str:
        """What messages call it."""
        frame = f", frame {self.frame + 1}" if frames_of(self.file) > 1 else ""
        return f"{self.path.name}{frame}"

    @property
    def normal(self) -> np.ndarray:
        """Unit vector along which slices follow one another."""
        return np.cross(self.rows_columns[:3], self.rows_columns[3:])


def frames_of(file: DicomFile) -> int:
    """Return the number of planes in a file."""
    with suppress(OverflowError, ValueError, InputError):
        frames = value_of(file.tags, "NumberOfFrames", file.path)
        return 1 if frames is None else int(frames)
    raise InputError(
        f"{file.path}: its number of frames is no number (DICOM tag (0028,0008) NumberOfFrames); "
        "copy or export it again."
    )


def planes_of(file: DicomFile, stated: Stated) -> list[Plane]:
    """Return the planes of an image.

    Raises
    ------
    InputError
        If it is in colour, states no place in space, states its pixels' size twice, or its values
        cannot be told.
    """
    with told(file.path):
        return _planes_of(file, stated)


def scales_of(file: DicomFile) -> list[tuple[float, float]]:
    """Return slope and intercept of each plane of an image.

    Raises
    ------
    InputError
        As ``planes_of``.
    """
    with told(file.path):
        return [_rescale(file.path, places) for places in _places(file)]


def _planes_of(file: DicomFile, stated: Stated) -> list[Plane]:
    path, tags = file.path, file.tags
    samples = value_of(tags, "SamplesPerPixel", path)
    if samples not in (None, 1):
        raise InputError(
            f"{path}: is a colour image by its header ({samples} values per pixel); give a "
            "grey-scale series."
        )
    shown_as = value_of(tags, "PhotometricInterpretation", path)
    if shown_as is not None and shown_as not in GREY:
        raise InputError(
            f"{path}: is no grey-scale image (PhotometricInterpretation {shown_as}), or its header "
            "is damaged; give a grey-scale series."
        )
    if value_of(tags, "ModalityLUTSequence", path):
        raise InputError(
            f"{path}: gives its values by a table (Modality LUT), which is not supported; export "
            "it with a rescale slope and intercept."
        )
    return [_plane(file, frame, places, stated) for frame, places in enumerate(_places(file))]


def _places(file: DicomFile) -> list[list[Any]]:
    """Return where the tags of each plane of an image stand, the nearest place first."""
    path, tags = file.path, file.tags
    count = frames_of(file)
    groups = value_of(tags, "PerFrameFunctionalGroupsSequence", path)
    if groups is None and count > 1:
        raise InputError(
            f"{path}: holds several frames in one file and says of none where it lies; "
            "convert the series to NIfTI (for example with dcm2niix)."
        )
    if groups is None:
        return [[tags]]
    if len(groups) != count:
        raise InputError(
            f"{path}: has {count} frames and describes {len(groups)}; export it again."
        )
    shared = value_of(tags, "SharedFunctionalGroupsSequence", path) or []
    of_all = [macro for group in shared for macro in _within(group)]
    return [[*_within(group), *of_all, tags] for group in groups]


def _within(group: Any) -> list[Any]:
    """Return the macros of a functional group, each of which is a sequence of one item."""
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _plane(file: DicomFile, frame: int, places: Sequence[Any], stated: Stated) -> Plane:
    """Read a plane's tags from the first of some places that has them."""
    path = file.path
    position = _numbers(path, places, "ImagePositionPatient", 3)
    rows_columns = _numbers(path, places, "ImageOrientationPatient", 6)
    between = _optional(path, places, "SpacingBetweenSlices")
    slope, intercept = _rescale(path, places)
    return Plane(
        file=file,
        frame=frame,
        size=(_count(file, "Columns"), _count(file, "Rows")),
        position_mm=position,
        rows_columns=_at_right_angles(path, rows_columns),
        pixel_mm=_pixel_mm(path, places, stated),
        rounding_mm=_rounding(_found(path, places, "ImagePositionPatient")),
        between_mm=abs(between) if between else None,
        slope=slope,
        intercept=intercept,
    )


def _count(file: DicomFile, keyword: str) -> int:
    number = int(value_of(file.tags, keyword, file.path) or 0)
    if number <= 0:
        raise InputError(f"{file.path}: states {number} {keyword.lower()}; export it again.")
    return number


def _at_right_angles(path: Path, rows_columns: np.ndarray) -> np.ndarray:
    """Return directions at right angles and of length 1, where only rounding kept them from it."""
    axes = rows_columns.reshape(2, 3)
    off = float(np.abs(axes @ axes.T - np.eye(2)).max())
    if off > LARGEST_ANGLE:
        raise InputError(
            f"{path}: its rows and columns (ImageOrientationPatient) are not at right angles; "
            "export it again."
        )
    if off <= ROUNDED_ANGLE:
        return rows_columns
    row = axes[0] / np.linalg.norm(axes[0])
    column = axes[1] - (axes[1] @ row) * row
    return np.concatenate([row, column / np.linalg.norm(column)])


def _pixel_mm(path: Path, places: Sequence[Any], stated: Stated) -> np.ndarray:
    """Return the pixel spacing; refuse one at the detector that contradicts it, or stands alone."""
    sizes = {
        name: _numbers(path, places, keyword, 2)
        for name, keyword in (
            (PIXEL_SPACING, "PixelSpacing"), (AT_DETECTOR, "ImagerPixelSpacing"),
        )
        if _found(path, places, keyword) is not None
    }  # fmt: skip
    if list(sizes) == [AT_DETECTOR] and stated.believe != AT_DETECTOR:
        raise InputError(
            f"{path}: states its pixels' size at the detector alone (ImagerPixelSpacing), not in "
            "the object; export it with PixelSpacing, or, if it holds in the object too, say so: "
            f"data.ct_stated or data.microct_stated: believe={AT_DETECTOR}."
        )
    believed = next(iter(sizes), PIXEL_SPACING)
    calibrated = _found(path, places, "PixelSpacingCalibrationType") is not None
    if len(sizes) == 2 and not calibrated and not _agree(*sizes.values()):
        said = {name: f"{sizes_text(size.tolist())} mm" for name, size in sizes.items()}
        believed = refuse_contradiction(path, "pixel size", said, stated)
    if believed not in sizes:
        # Refuses it, by its tag.
        return _numbers(path, places, "PixelSpacing", 2)
    check_spacing(path, sizes[believed].tolist())
    return sizes[believed]


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    return np.allclose(one, other, rtol=AGREEMENT)


def _rescale(path: Path, places: Sequence[Any]) -> tuple[float, float]:
    """Return slope and intercept; 1 and 0 where neither is stated."""
    slope = _optional(path, places, "RescaleSlope")
    intercept = _optional(path, places, "RescaleIntercept")
    if (slope is None) != (intercept is None):
        there, missing = ("RescaleIntercept", "RescaleSlope")[:: 1 if slope is None else -1]
        raise InputError(
            f"{path}: has the DICOM tag {_tag(there)} without {_tag(missing)}, so its values "
            "cannot be told; export it again."
        )
    if slope == 0:
        raise InputError(
            f"{path}: its rescale slope is 0, so its values are lost; export it again."
        )
    return (1.0, 0.0) if slope is None or intercept is None else (slope, intercept)


def _optional(path: Path, places: Sequence[Any], keyword: str) -> float | None:
    if _found(path, places, keyword) is None:
        return None
    return float(_numbers(path, places, keyword, 1)[0])


def _found(path: Path, places: Sequence[Any], keyword: str) -> Any:
    """Return a tag's value from the first place that has it."""
    for place in places:
        value = value_of(place, keyword, path)
        if value is not None:
            return value
    return None


def _numbers(path: Path, places: Sequence[Any], keyword: str, count: int) -> np.ndarray:
    """Read a tag of several finite numbers."""
    try:
        value = _found(path, places, keyword)
        numbers = np.array([float(part) for part in np.atleast_1d(value)])
    except (InputError, TypeError, ValueError):
        value, numbers = "no number", np.empty(0)
    if len(numbers) != count or not np.all(np.abs(numbers) < LARGEST_NUMBER):
        raise InputError(
            f"{path}: its DICOM tag {_tag(keyword)} should have {count} numbers and is "
            f"'{'' if value is None else value}'; without it the slice has no place in space."
        )
    return numbers


def _tag(keyword: str) -> str:
    return f"({TAGS[keyword]}) {keyword}"


def _rounding(value: Any) -> float:
    """Return half a step of the last decimal that any number of a text has, in mm."""
    texts = [getattr(part, "original_string", "") for part in value]
    return 0.5 * min(_last_decimal(text) for text in texts)


def _last_decimal(text: str) -> float:
    """Return the place value of a number's last digit; 0 where it is stored in binary.

    Examples
    --------
    >>> _last_decimal("-12.25"), _last_decimal("1.5e2"), _last_decimal("")
    (0.01, 10.0, 0.0)
    """
    if not text:
        return 0.0
    digits, _, exponent = text.strip().lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return math.pow(10.0, int(exponent or 0) - decimals)
