"""DICOM: a folder with the slices of one series, geometry from each slice's own position.

The position of a slice is its ImagePositionPatient projected on the normal of
ImageOrientationPatient, in mm; file names and instance numbers play no part.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from otosynth.errors import InputError
from otosynth.files import folder_written_whole
from otosynth.volumes.formats.base import Format
from otosynth.volumes.grids import Grid
from otosynth.volumes.itk_io import quiet_itk, read_header
from otosynth.volumes.stated import Stated

DICOM_IO = "GDCMImageIO"
SERIES, POSITION, ORIENTATION, PIXEL_SPACING = "0020|000e", "0020|0032", "0020|0037", "0028|0030"

# Slice positions are written with few decimals; a spacing may differ by this part of itself.
SPACING_TOLERANCE = 0.02
ORIENTATION_TOLERANCE = 1e-3
# Of the scan's own series: whose it is, and in which study and frame it lies.
COPIED_TAGS = (
    "0008|0020",  # study date
    "0008|0030",  # study time
    "0008|0050",  # accession number
    "0008|0090",  # referring physician
    "0010|0010",  # patient's name
    "0010|0020",  # patient's identifier
    "0010|0030",  # birth date
    "0010|0040",  # sex
    "0020|000d",  # study instance UID
    "0020|0010",  # study identifier
    "0020|0052",  # frame of reference UID
)
DERIVATION = "0008|2111"
PREDICTED = "Predicted by a neural network (otosynth); not measured, not for diagnosis"
# 16 signed bits hold an intensity; the rescale slope gives it back. One level is left for rounding.
LARGEST_LEVEL = 2**15 - 2
# Bits allocated, bits stored, high bit, and signed.
SIGNED_16_BITS = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1"}


@dataclass(frozen=True)
class Slice:
    """What the geometry of a volume needs from one slice; positions in mm, LPS."""

    path: Path
    series: str
    size: tuple[int, ...]
    position_mm: np.ndarray
    rows_columns: np.ndarray
    pixel_mm: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit vector along which slices follow one another."""
        return np.cross(self.rows_columns[:3], self.rows_columns[3:])


class Dicom(Format):
    """A folder with the slices of one series."""

    name = "dicom"
    description = "a folder with one DICOM series"
    last_resort = True

    def matches(self, path: Path) -> bool:
        """Tell whether it is a folder; what is in it is looked at on reading."""
        return path.is_dir()

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        return _read_folder(path)

    def files(self, path: Path) -> list[Path]:
        """List the slices."""
        return slices_in(path)

    def tags(self, path: Path) -> Mapping[str, str]:
        """Return the tags of the patient and the study."""
        return _tags_of(slices_in(path)[0])

    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a folder with a derived CT series, in place of what was there."""
        path = stem.with_name(f"{stem.name}-dicom")
        with folder_written_whole(path) as folder:
            _fill_dicom(image, folder, tags, description)
        return path


def slices_in(folder: Path) -> list[Path]:
    """List the DICOM files of a folder, by their signature or ending, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and _is_dicom(path))


def _read_folder(folder: Path) -> sitk.Image:
    """Read a folder with one DICOM series as a float32 volume (CT: in HU).

    Raises
    ------
    InputError
        If the folder has no DICOM file, more than one series, mixed orientations or sizes, a
        missing or doubled slice, a non-uniform or sheared (tilted gantry) stack, or a file
        that cannot be read.
    """
    paths = slices_in(folder)
    if not paths:
        raise InputError(
            f"{folder}: the folder holds neither TIFF slices nor DICOM files; name the folder "
            "that holds the slices themselves."
        )
    slices = [_read_slice(path) for path in paths]
    _check_one_stack(folder, slices)
    normal = slices[0].normal
    slices.sort(key=lambda one: float(one.position_mm @ normal))
    spacing_mm = _slice_spacing_mm(folder, slices)
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO(DICOM_IO)
    reader.SetFileNames([str(one.path) for one in slices])
    reader.SetOutputPixelType(sitk.sitkFloat32)
    with quiet_itk(folder):
        image = reader.Execute()
    return _with_geometry(image, slices[0], spacing_mm)


def _is_dicom(path: Path) -> bool:
    if path.name.startswith(".") or path.name.upper() == "DICOMDIR":
        return False
    with path.open("rb") as stream:
        return path.suffix.lower() == ".dcm" or stream.read(132)[128:] == b"DICM"


def _read_slice(path: Path) -> Slice:
    """Read one slice's tags."""
    header = read_header(path, DICOM_IO)
    if header.GetNumberOfComponents() != 1:
        raise InputError(f"{path}: is a colour image; give a grey-scale series.")
    if len(header.GetSize()) > 2 and header.GetSize()[2] > 1:
        raise InputError(
            f"{path}: holds several frames in one file, which is not supported; "
            "convert the series to NIfTI (for example with dcm2niix)."
        )
    return Slice(
        path=path,
        series=header.GetMetaData(SERIES).strip() if header.HasMetaDataKey(SERIES) else "none",
        size=header.GetSize()[:2],
        position_mm=_numbers(header, path, POSITION, 3),
        rows_columns=_numbers(header, path, ORIENTATION, 6),
        pixel_mm=_numbers(header, path, PIXEL_SPACING, 2),
    )


def _numbers(header: sitk.ImageFileReader, path: Path, tag: str, count: int) -> np.ndarray:
    """Read a tag of several decimal numbers."""
    text = header.GetMetaData(tag) if header.HasMetaDataKey(tag) else ""
    try:
        numbers = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != count:
        raise InputError(
            f"{path}: its DICOM tag ({tag.replace('|', ',')}) should have {count} numbers and "
            f"is '{text}'; without it the slice has no place in space."
        )
    return numbers


def _check_one_stack(folder: Path, slices: Sequence[Slice]) -> None:
    """Refuse several series, mixed orientations, sizes or pixel spacings."""
    first = slices[0]
    series = sorted({one.series for one in slices})
    if len(series) > 1:
        raise InputError(
            f"{folder}: holds {len(series)} DICOM series ({', '.join(series)}); "
            "keep one series per folder."
        )
    for one in slices[1:]:
        if not np.allclose(one.rows_columns, first.rows_columns, atol=ORIENTATION_TOLERANCE):
            raise InputError(
                f"{folder}: {one.path.name} and {first.path.name} have different orientations; "
                "keep the slices of one stack only."
            )
        if one.size != first.size or not np.allclose(one.pixel_mm, first.pixel_mm, rtol=1e-4):
            raise InputError(
                f"{folder}: {one.path.name} and {first.path.name} differ in size or pixel "
                "spacing; keep the slices of one stack only."
            )
    if min(first.pixel_mm) <= 0:
        raise InputError(f"{folder}: the pixel spacing {first.pixel_mm} mm must be above 0.")


def _slice_spacing_mm(folder: Path, slices: Sequence[Slice]) -> float:
    """Distance of neighbouring slices in mm; refuse doubled, missing and uneven slices."""
    if len(slices) < 2:
        raise InputError(f"{folder}: holds a single DICOM slice; a volume needs the whole series.")
    steps_mm = np.diff([one.position_mm for one in slices], axis=0)
    along_mm = steps_mm @ slices[0].normal
    spacing_mm = float(np.median(along_mm))
    uneven = np.abs(along_mm - spacing_mm) > SPACING_TOLERANCE * spacing_mm
    if spacing_mm <= 0 or np.any(uneven):
        at = int(np.argmax(uneven))
        names = slices[at].path.name, slices[at + 1].path.name
        _refuse_step(folder, names, float(along_mm[at]), spacing_mm)
    sideways_mm = np.linalg.norm(steps_mm - np.outer(along_mm, slices[0].normal), axis=1).max()
    if sideways_mm > SPACING_TOLERANCE * spacing_mm:
        raise InputError(
            f"{folder}: the slices shift sideways by {sideways_mm:.3g} mm from one to the next "
            "(tilted gantry); resample the scan to a straight stack first."
        )
    return float(along_mm.mean())


def _refuse_step(folder: Path, names: tuple[str, str], step_mm: float, usual_mm: float) -> None:
    """Say what is wrong with the distance between two neighbouring slices."""
    where = f"{folder}: {names[0]} and {names[1]}"
    if step_mm <= SPACING_TOLERANCE * usual_mm:
        raise InputError(f"{where} lie at the same position (slice spacing 0); keep one of them.")
    missing = round(step_mm / usual_mm) - 1
    if missing >= 1 and abs(step_mm - (missing + 1) * usual_mm) <= SPACING_TOLERANCE * usual_mm:
        raise InputError(
            f"{where} are {step_mm:.4g} mm apart and the other slices {usual_mm:.4g} mm: "
            f"{missing} slice(s) missing between them; put them back."
        )
    raise InputError(
        f"{where} are {step_mm:.4g} mm apart and the other slices {usual_mm:.4g} mm: the slice "
        "spacing is not uniform; give a series with uniform spacing or resample it."
    )


def _with_geometry(image: sitk.Image, first: Slice, spacing_mm: float) -> sitk.Image:
    """Set the geometry from the slices' tags."""
    row, column = first.rows_columns[:3], first.rows_columns[3:]
    # PixelSpacing gives the distance of rows (y) first, then of columns (x).
    image.SetSpacing((first.pixel_mm[1], first.pixel_mm[0], spacing_mm))
    image.SetOrigin(first.position_mm.tolist())
    image.SetDirection(np.column_stack([row, column, first.normal]).ravel().tolist())
    return image


def _tags_of(path: Path) -> dict[str, str]:
    """Return what a derived series takes over from a slice of its source."""
    header = read_header(path, DICOM_IO)
    tags = {tag: header.GetMetaData(tag) for tag in COPIED_TAGS if header.HasMetaDataKey(tag)}
    # ITK gives the bytes of another character set as surrogates, which it cannot write again.
    return {tag: text.encode("ascii", "replace").decode() for tag, text in tags.items()}


def _fill_dicom(image: sitk.Image, folder: Path, tags: Mapping[str, str], description: str) -> None:
    """Write a derived CT series: secondary, described as synthetic, UIDs from its own bytes."""
    slope = _slope_of(image)
    # ITK divides by the slope only what is float64.
    stored = sitk.Cast(image, sitk.sitkInt16 if slope == 1.0 else sitk.sitkFloat64)
    digest = _digest_of(stored, tags, description)
    axes = np.reshape(image.GetDirection(), (3, 3))
    of_all = {DERIVATION: PREDICTED, **tags} | {
        "0008|0008": "DERIVED\\SECONDARY\\AXIAL",
        "0008|0060": "CT",
        "0008|103e": description[:64],
        "0018|0050": f"{image.GetSpacing()[2]:.6f}",
        "0020|000e": _uid(digest, "series"),
        "0020|0011": "9000",
        "0020|0037": "\\".join(f"{v:.10f}" for v in (*axes[:, 0], *axes[:, 1])),
        "0028|1052": "0",
        "0028|1053": f"{slope:.9g}",
    }
    of_all |= SIGNED_16_BITS
    # Else GDCM writes the time of now, and the bytes differ each time.
    for time in ("0008|0020", "0008|0030"):
        of_all.setdefault(time, "")
    of_all.setdefault("0020|000d", _uid(digest, "study"))
    of_all.setdefault("0020|0052", _uid(digest, "frame"))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(stored.GetDepth()):
        one = stored[:, :, z : z + 1]
        position = image.TransformIndexToPhysicalPoint((0, 0, z))
        of_slice = {
            "0008|0018": _uid(digest, f"slice {z}"),
            "0020|0013": str(z + 1),
            "0020|0032": "\\".join(f"{v:.8g}" for v in position),
        }
        for tag, text in (of_all | of_slice).items():
            one.SetMetaData(tag, text)
        writer.SetFileName(str(folder / f"{z:04}.dcm"))
        writer.Execute(one)


def _digest_of(image: sitk.Image, tags: Mapping[str, str], description: str) -> str:
    """Return what a series' UIDs are made of: all that it shows, where, and of whom.

    The place is part of it: the masks of both ears of a patient may hold the same voxels.
    """
    grid = Grid.of(image)
    said = json.dumps([description, sorted(tags.items()), vars(grid)])
    voxels = sitk.GetArrayViewFromImage(image).tobytes()
    return hashlib.sha256(said.encode() + voxels).hexdigest()


def _slope_of(image: sitk.Image) -> float:
    """Return the step in which 16 signed bits hold a volume's values; 1 for classes.

    GDCM takes no intercept that is not whole, so the steps are those of the largest value.
    """
    values = sitk.GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.integer):
        return 1.0
    largest = max(float(np.abs(values).max()), 1e-9)
    # As DICOM's text will say it, so that reading gives back the same values.
    return float(f"{largest / LARGEST_LEVEL:.9g}")


def _uid(digest: str, what: str) -> str:
    """Return a DICOM UID of the form 2.25.<UUID as a number>, a function of the arguments."""
    number = int(hashlib.sha256(f"{digest}/{what}".encode()).hexdigest()[:32], 16)
    return f"2.25.{number}"
