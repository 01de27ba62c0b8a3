"""What every format's alterations and every independent reader share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from pathlib import Path

import numpy as np

# What a number in a header is replaced with.
POISON = (0.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 1e-30, 32767.0, -5.0)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# All 48 ways in which three axes follow others: their order and their signs.
AXIS_ORDERS = [
    np.eye(3)[:, list(order)] * signs
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
# Lengths of a unit that a header names, in mm.
UNITS_MM = {
    "MM": 1.0,
    "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "millimetres": 1.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3,
    "nm": 1e-6, "cm": 10.0, "m": 1e3, "meter": 1e3, "in": 25.4, "inch": 25.4,
}  # fmt: skip


class UndefinedError(Exception):
    """The file has no one meaning, so it must be refused: it says a thing twice, or not at all."""


@dataclass(frozen=True)
class Reading:
    """What a file means.

    Attributes
    ----------
    values
        Float64, indexed x, y, z as the file counts its axes.
    affine
        Index to mm (LPS), 4 x 4.
    """

    values: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class Alteration:
    """What was done to a valid file.

    Attributes
    ----------
    name
        What a person calls it.
    topics
        What a true refusal may speak of (`fuzz.judge.WORDS`); empty: of anything.
    harmless
        The file still says the same, or consistently something else, and must be read.
    after
        What is done to the bytes once the file is written.
    tolerance_mm
        How far a voxel may lie from its place where the file itself rounds its places.
    """

    name: str
    topics: tuple[str, ...] = ()
    harmless: bool = False
    after: Callable[[Path], None] | None = None
    tolerance_mm: float = 1e-4


@dataclass
class Scan:
    """The numbers that a test writes: values (x, y, z) and where they lie."""

    values: np.ndarray
    spacing_mm: np.ndarray
    origin_mm: np.ndarray
    # Columns: directions of the axes x, y, z (LPS).
    direction: np.ndarray
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def affine(self) -> np.ndarray:
        return affine_of(self.spacing_mm, self.origin_mm, self.direction)

    @property
    def reading(self) -> Reading:
        return Reading(self.values.astype(np.float64), self.affine)


def affine_of(
    spacing_mm: Sequence[float], origin_mm: Sequence[float], direction: np.ndarray
) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(direction) * np.asarray(spacing_mm)
    affine[:3, 3] = origin_mm
    return affine


def random_scan(
    random: np.random.Generator,
    kinds: Sequence[str] = ("int16", "uint8", "uint16", "float32", "int32"),
) -> Scan:
    """Return a small volume without any symmetry; half of them oblique, half left-handed."""
    size = random.permutation([7, 6, 5])
    kind = np.dtype(str(random.choice(kinds)))
    low, high = (0, 250) if kind.kind == "u" else (-1000, 3000)
    values = random.integers(low, high, size).astype(kind)
    if kind.kind == "f" and random.random() < 0.5:
        values += random.normal(0, 0.3, size).astype(kind)
    direction = AXIS_ORDERS[random.integers(len(AXIS_ORDERS))]
    if random.random() < 0.5:
        direction = rotation(random.uniform(-0.4, 0.4, 3)) @ direction
    spacing = random.choice([0.11, 0.125, 0.2, 0.3125, 0.4, 0.55], 3, replace=False)
    return Scan(values, spacing, random.uniform(-60, 60, 3).round(3), direction)


def rotation(angles: Sequence[float]) -> np.ndarray:
    """Turn about x, then y, then z."""
    (a, b, c), (p, q, r) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, a, -p], [0, p, a]])
    about_y = np.array([[b, 0, q], [0, 1, 0], [-q, 0, b]])
    about_z = np.array([[c, -r, 0], [r, c, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def axes_of(affine: np.ndarray) -> np.ndarray:
    """Return a matrix of voxel axes; refuse what no grid of voxels can have."""
    axes = affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(affine).all() or (lengths <= 0).any():
        raise UndefinedError("axes that are no numbers or have no length")
    unit = axes / lengths
    # Half-way cases, which rounding may decide either way, are not made by any alteration.
    if not np.allclose(unit.T @ unit, np.eye(3), atol=5e-4):
        raise UndefinedError("axes that are not at right angles")
    return axes


def agree(a: np.ndarray, b: np.ndarray, size: Sequence[int]) -> bool:
    """Tell whether two affines put a volume's corners at the same places, to 1 % of a voxel."""
    corners = np.array([(*corner, 1) for corner in product(*[(0, n - 1) for n in size])])
    apart = np.linalg.norm((corners @ a.T - corners @ b.T)[:, :3], axis=1)
    voxel = min(np.linalg.norm(a[:3, :3], axis=0).min(), np.linalg.norm(b[:3, :3], axis=0).min())
    return bool((apart <= 0.01 * voxel + 1e-5 * np.abs(a[:3, 3]).max()).all())


def pick(random: np.random.Generator, choices: Sequence):
    """Return one of a sequence as it is; numpy's choice would make an array of it."""
    return choices[int(random.integers(len(choices)))]


def truncated(percent: int) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * percent // 100])

    return cut


def changed_byte(random: np.random.Generator, first: int, end: int) -> Callable[[Path], None]:
    """Change one byte at a random place of the part of a file (end 0: to its end)."""
    place, by = random.random(), int(random.integers(1, 256))

    def change(path: Path) -> None:
        content = bytearray(path.read_bytes())
        last = min(end or len(content), len(content))
        at = min(first + int(place * (last - first)), len(content) - 1)
        content[at] ^= by
        path.write_bytes(bytes(content))

    return change


def appended(content: bytes) -> Callable[[Path], None]:
    def append(path: Path) -> None:
        path.write_bytes(path.read_bytes() + content)

    return append


def replaced_by(content: bytes) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace
