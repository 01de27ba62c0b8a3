"""The verdict on one case: read truly, refused truly, or a finding."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from fuzz.common import Alteration, Reading, UndefinedError, affine_of
from otosynth.errors import InputError
from otosynth.volumes.grids import Grid
from otosynth.volumes.reading import input_files, read_slabs, read_volume

# Words of which a true refusal has at least one, by what was altered.
WORDS = {
    "spacing": r"voxel|spacing|pixdim|apart|position|uniform|distance|direction|slice|axes|places",
    "orientation": r"orient|direction|form|axes|right angles|rotation|quatern|matrix|space|tilt",
    "origin": r"origin|position|place|offset|lies?\b|apart|uniform|shift|tilt|sform|qform|number",
    "size": r"size|dim|voxels|slice|pixel|rows|bytes|truncated|volume|frame|page",
    "type": r"type|bit|bytes|truncated|value|voxel|float|colour|complex|grey|channel|pixel",
    "values": r"value|voxel|intensit|slope|intercept|NaN|infinite|scale|rescale",
    "units": r"unit|mm|inch|voxel size",
    "length": r"truncated|bytes|damaged|empty|end|short|missing|incomplete|cut|header|no .*file",
    "encoding": r"compress|encod|damaged|gzip|bytes|truncated|header|format|bzip|ASCII|text",
    "header": r"header|field|line|damaged|states|key|tag|says|form|not valid|should",
    "sidecar": r"spacing\.json|origin_mm|direction|spacing_mm|valid",
    "number": r"number|slice|missing|same",
    "series": r"series|slices|position|study|patient|stack|frame|missing|orientation|size",
    "colour": r"colour|values per voxel|grey|channel|palette|component",
}
# What was altered where "truncated" may be the truth.
SHORT = {"length", "size", "type", "encoding"}
# What a person cannot read: parts of other programs, and objects' addresses.
JARGON = r"Traceback|0x[0-9a-f]{6}|itk::|\.cxx|\.hxx|NoneType|Errno|object at|\bself\b|np\.|dtype\("
# A message says what to do.
ADVICE = (
    r"\b(copy|export|give|save|check|keep|put|convert|resample|correct|name|state|replace|write|"
    r"rewrite|remove|add|set|choose|unpack|gunzip|split|number|use|needs|must|should|Known are)\b"
)
LONGEST = 700


@dataclass(frozen=True)
class Verdict:
    """What became of a case: ``read`` or ``refused``, and what is wrong with that, if anything."""

    outcome: str
    finding: str = ""
    detail: str = ""


def judged(
    path: Path,
    written: Reading,
    alteration: Alteration,
    independent: Reading | UndefinedError | str,
) -> Verdict:
    """Read a scan and compare with what it means.

    Parameters
    ----------
    independent
        What an independent reader makes of it; `UndefinedError` where it must be refused; text
        where the reader failed, so that only the numbers written may be read.
    """
    try:
        image = read_volume(path)
    except InputError as error:
        return _judged_refusal(path, str(error), alteration)
    except BaseException as error:
        return Verdict("raised", f"traceback {type(error).__name__}", str(error)[:200])
    finding = _difference(reading_of(image), written, alteration, independent)
    if finding:
        return Verdict("read", *finding)
    return _judged_slabs(path, image)


def reading_of(image: sitk.Image) -> Reading:
    """Return an image of ours as a reading."""
    grid = Grid.of(image)
    affine = affine_of(grid.spacing_mm, grid.origin_mm, np.reshape(grid.direction, (3, 3)))
    return Reading(sitk.GetArrayFromImage(image).T, affine)


def _difference(
    ours: Reading,
    written: Reading,
    alteration: Alteration,
    independent: Reading | UndefinedError | str,
) -> tuple[str, str] | None:
    if isinstance(independent, UndefinedError):
        return "silent: should be refused", str(independent)
    truth = written if isinstance(independent, str) else independent
    wrong = difference(ours, truth, alteration.tolerance_mm)
    if not wrong and np.linalg.det(ours.affine[:3, :3]) < 0:
        return "silent: left-handed axes", ""
    if wrong and isinstance(independent, str):
        return "silent: read what another reader cannot", f"{wrong}; {independent}"
    return ("silent: differs from the independent reader", wrong) if wrong else None


def difference(
    ours: Reading, truth: Reading, tolerance_mm: float = 1e-4, tolerance: float = 0.0
) -> str:
    """Say where two readings differ, whatever the order of their axes; empty if nowhere.

    Parameters
    ----------
    tolerance_mm, tolerance
        How far a voxel may lie from its place, and a value from the true one.
    """
    if not np.isfinite(ours.affine).all() or np.linalg.det(ours.affine) == 0:
        return f"an impossible grid {ours.affine.tolist()}"
    # From the true index to ours: axes exchanged and turned round, and whole steps.
    between = np.linalg.inv(ours.affine) @ truth.affine
    turned = np.rint(between[:3, :3])
    once = [(np.abs(turned).sum(axis=axis) == 1).all() for axis in (0, 1)]
    if not all(once):
        return f"axes or voxel size differ: {between[:3, :3].round(4).tolist()}"
    order = np.abs(turned).argmax(axis=1)
    theirs = truth.values.transpose(order)
    if theirs.shape != ours.values.shape:
        return f"size {ours.values.shape} for {theirs.shape}"
    theirs = theirs[tuple(slice(None, None, int(sign)) for sign in turned.sum(axis=1))]
    return _places_differ(ours, truth, turned, tolerance_mm) or _values_differ(
        ours.values, theirs, tolerance
    )


def _places_differ(ours: Reading, truth: Reading, turned: np.ndarray, tolerance_mm: float) -> str:
    shape = np.array(ours.values.shape)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], indexing="ij")).reshape(3, -1)
    ends = np.where(turned.sum(axis=1) < 0, shape - 1, 0)
    at_truth = turned.T @ (corners - ends[:, None])
    mine = ours.affine[:3, :3] @ corners + ours.affine[:3, 3:]
    true = truth.affine[:3, :3] @ at_truth + truth.affine[:3, 3:]
    apart = np.linalg.norm(mine - true, axis=0).max()
    # Headers keep geometry in single precision.
    allowed = tolerance_mm + 1e-6 * np.abs(true).max()
    return "" if apart <= allowed else f"voxels lie {apart:.4g} mm from where they belong"


def _values_differ(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> str:
    with np.errstate(over="ignore", invalid="ignore"):
        single = theirs.astype(np.float32)
    if (np.isfinite(theirs) & ~np.isfinite(single)).any():
        return "values beyond single precision became infinite"
    allowed = max(tolerance, 1e-6 * _largest(single))
    # A slope and an intercept may be applied in single precision.
    same = np.isclose(ours, single, rtol=2e-6, atol=allowed, equal_nan=True)
    if same.all():
        return ""
    at = tuple(np.argwhere(~same)[0])
    return f"{(~same).sum()} values differ: {ours[at]:.6g} for {single[at]:.6g}"


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max()) if finite.size else 0.0


def _judged_refusal(path: Path, message: str, alteration: Alteration) -> Verdict:
    if alteration.harmless:
        return Verdict("refused", "good data refused", message)
    for finding, wrong in (
        ("message: does not name the path", not _names(message, path)),
        ("message: several lines", "\n" in message),
        ("message: too long", len(message) > LONGEST),
        ("message: jargon", re.search(JARGON, message)),
        ("message: does not say what to do", not re.search(ADVICE, message, re.I)),
        ("message: no full stop", not message.rstrip().endswith((".", '."', "}."))),
        ("message: speaks of something else", not _to_the_point(message, alteration.topics)),
        (
            "message: says truncated where it is not",
            _says_truncated_falsely(message, alteration.topics),
        ),
    ):
        if wrong:
            return Verdict("refused", finding, message)
    return _judged_other_refusals(path, message)


def _says_truncated_falsely(message: str, topics: tuple[str, ...]) -> bool:
    return "truncated" in message and bool(topics) and not SHORT & set(topics)


def _names(message: str, path: Path) -> bool:
    """Tell whether a message names the scan, or a file beside it or in it."""
    return str(path) in message or (path.is_file() and str(path.parent / "") in message)


def _to_the_point(message: str, topics: tuple[str, ...]) -> bool:
    return not topics or any(re.search(WORDS[topic], message, re.I) for topic in topics)


def _judged_other_refusals(path: Path, message: str) -> Verdict:
    """The slab read refuses what the whole read does, in its words; the list of files may too."""
    try:
        list(read_slabs(path)[1])
        return Verdict("refused", "slab read accepts what the whole read refuses", message)
    except InputError as error:
        if str(error) != message:
            return Verdict("refused", "slab read refuses in other words", f"{message} / {error}")
    except BaseException as error:
        return Verdict("refused", f"slab read: traceback {type(error).__name__}", str(error)[:200])
    try:
        input_files(path)
    except InputError:
        pass
    except BaseException as error:
        return Verdict("refused", f"input_files: traceback {type(error).__name__}", str(error))
    return Verdict("refused", "", message)


def _judged_slabs(path: Path, image: sitk.Image) -> Verdict:
    try:
        grid, slabs = read_slabs(path)
        voxels = np.concatenate(list(slabs))
        files = input_files(path)
    except BaseException as error:
        return Verdict("read", f"slab read or list of files: {type(error).__name__}", str(error))
    if grid != Grid.of(image):
        return Verdict("read", "slab read has another grid", f"{grid} / {Grid.of(image)}")
    if voxels.tobytes() != sitk.GetArrayViewFromImage(image).tobytes():
        return Verdict("read", "slab read has other values")
    if not all(file.is_file() for file in files):
        return Verdict("read", "input_files names what is not there", str(files))
    return Verdict("read")
