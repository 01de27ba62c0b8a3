"""What of a scan was measured, and what was only filled up to a box: its padding.

What a scanner measures is convex: a cylinder, a box, a box cut askew. In each slice, all else then
hangs together with one of the slice's corners. So padding is looked for there: voxels of exactly
one value that are connected to a corner. Air that was clipped to the lowest value looks much the
same and was measured, so the value and the shape decide (docs/method.md, section 3). Padding is

- the value that the file declares as such;
- in a CT, a value below -1024 HU, which no CT measures (-2000, -3024);
- a value with others below and above it: measured values do not pile up there;
- the lowest or the highest value, where it fills whole planes, or all outside a circle that is the
  same in every slice.

The last two need a scan with noise: in one that was calculated, tissue is of one value too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from otosynth.errors import InputError
from otosynth.volumes.grids import image_like
from otosynth.volumes.mapping import LARGE_BYTES, let_go
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Range
from otosynth.volumes.volume import Volume

# No CT measures less: scanners store HU from -1024, as 12 bits.
LOWEST_HU = -1024.0
# Fewer voxels of one value at corners are chance.
LEAST_VOXELS = 64
# Values at corners that are looked at, the commonest first.
MOST_VALUES = 8
# Slices by which a scan's noise is judged, and pairs of neighbours that suffice for it.
SOME_SLICES, LEAST_PAIRS = 16, 100
# Neighbours are of one value when they differ by less than this part of the range. A scan in which
# a larger share of them do has no noise to speak of.
SAME_IN_RANGE, MOST_SAME = 1e-4, 0.2
# How large a share within a circle may be connected to the outside by squares of its value: more,
# and the circle is but the silhouette of what lies in clipped air.
LARGEST_LEAK = 0.02

CORNERS = ((0, 0), (0, -1), (-1, 0), (-1, -1))


@dataclass(frozen=True)
class Padding:
    """Which voxels of a scan were not measured; told slab by slab, so that no volume is held.

    Attributes
    ----------
    values
        Not measured is what is connected to a slice's corner and has one of these values ...
    solid
        ... or one of these, as far as it holds squares of 3 x 3 voxels: noise that was clipped to
        such a value does not.
    ranges
        ... or one from the lowest to the highest of these.
    shapes
        Further voxels: boolean arrays (z, y, x) whose length is 1 along axes where all is alike.
    filled_with
        All these values but ranges, for people.
    """

    values: tuple[float, ...]
    solid: tuple[float, ...]
    ranges: tuple[Range, ...]
    shapes: tuple[np.ndarray, ...]
    filled_with: tuple[float, ...]

    def of(self, slab: np.ndarray, rows: slice) -> np.ndarray:
        """Return where some rows along z were not measured (boolean; rows, y, x).

        Parameters
        ----------
        slab
            The voxels of these rows.
        """
        found = np.zeros(slab.shape, bool)
        for shape in self.shapes:
            found |= shape if len(shape) == 1 else shape[rows]
        for plane, out in zip(slab, found, strict=True):
            for value in self.values:
                out |= _from_corners(plane == value)
            for value in self.solid:
                out |= _from_corners(_in_squares(plane == value))
            for low, high in self.ranges:
                out |= _from_corners((plane >= low) & (plane <= high))
        return found


@dataclass(frozen=True)
class MarkedVolume(Volume):
    """A volume whose slabs have NaN where nothing was measured."""

    padding: Padding | None = None

    def slabs(self, multiple: int = 1) -> Iterator[tuple[slice, np.ndarray]]:
        """Go through the voxels as `Volume.slabs`; float32."""
        for rows, slab in super().slabs(multiple):
            if self.padding is None:
                yield rows, slab
            else:
                nowhere = self.padding.of(slab, rows)
                yield rows, np.where(nowhere, np.float32(np.nan), slab.astype(np.float32))


def find_padding(
    volume: Volume,
    *,
    hounsfield: bool,
    declared: Sequence[Range] = (),
    name: object = "the scan",
) -> Padding | None:
    """Find what of a scan is padding; None where all of it was measured.

    Parameters
    ----------
    volume
        The scan, as it was read; of a mapped one little is read where nothing is suspicious.
    hounsfield
        Whether it is a CT in HU.
    declared
        The values that its file declares as padding
        (:func:`~otosynth.volumes.reading.declared_padding`), in the unit of the voxels.
    name
        Of the scan, for a message.

    Raises
    ------
    InputError
        If all of it is padding.
    """
    single, ranges = _declared_at_corners(volume.voxels, declared)
    candidates = [
        value
        for value in dict.fromkeys([*single, *_values_at_corners(volume.voxels)])
        if not any(low <= value <= high for low, high in ranges)
    ]
    if not candidates and not ranges:
        return None
    impossible = [value for value in candidates if hounsfield and value < LOWEST_HU]
    ends = _ends(volume, impossible)
    values = list(impossible)
    solid: list[float] = []
    shapes: list[np.ndarray] = []
    filled_with: list[float] = []
    for value in candidates:
        at_end = value in ends
        if value in impossible:
            continue
        if value in single:
            (solid if at_end else values).append(value)
        elif not _has_noise(volume, value, ends):
            continue
        elif not at_end:
            values.append(value)
        else:
            found = _circle_or_planes(volume, value)
            shapes += found
            filled_with += [value] if found else []
    padding = Padding(
        tuple(values), tuple(solid), ranges, tuple(shapes), (*values, *solid, *filled_with)
    )
    if not padding.filled_with and not ranges:
        return None
    voxels = count(volume, padding)
    if voxels == volume.voxels.size:
        raise InputError(
            f"{name}: all voxels are padding ({in_words(padding)}), so nothing was measured; check "
            "that the export worked."
        )
    # What the file declares may be nowhere.
    return padding if voxels else None


def count(volume: Volume, padding: Padding) -> int:
    """Count the voxels that were not measured."""
    return sum(int(np.count_nonzero(padding.of(slab, rows))) for rows, slab in volume.slabs())


def share_outside(measured: sitk.Image) -> float:
    """Return the share, 0 to 1, of a mask's voxels that were not measured."""
    return float(np.mean(sitk.GetArrayViewFromImage(measured) == 0))


def in_words(padding: Padding) -> str:
    """Return the values of some padding, for a message."""
    values = [f"{value:g}" for value in padding.filled_with]
    words = [*values, *[f"{low:g} to {high:g}" for low, high in padding.ranges]]
    # Where each slice has a slope of its own, it has a value of its own.
    return ", ".join([*words[:MOST_VALUES], *["..."][: len(words) > MOST_VALUES]])


def measured_part(
    ct: sitk.Image, declared: Sequence[Range] = (), name: object = "the CT"
) -> tuple[sitk.Image, sitk.Image | None]:
    """Return a CT without padding, and the mask of what was measured (uint8).

    Padding is replaced by the nearest measured value of its slice, so that no filter or spline
    makes an edge of it. Of a CT that was measured everywhere it is the very image, and None.

    Parameters
    ----------
    ct
        In HU.
    declared, name
        As in :func:`find_padding`.

    Raises
    ------
    InputError
        As ``find_padding``.
    """
    volume = Volume.of(ct)
    padding = find_padding(volume, hounsfield=True, declared=declared, name=name)
    if padding is None:
        return ct, None
    nowhere = padding.of(volume.voxels, slice(0, len(volume.voxels)))
    filled = image_like(continued(volume.voxels, nowhere), ct)
    return filled, image_like((~nowhere).astype(np.uint8), ct)


def continued(values: np.ndarray, nowhere: np.ndarray) -> np.ndarray:
    """Let the nearest value of each slice along z go on where nothing was measured.

    A slice without any value is as the nearest one that has some.

    Parameters
    ----------
    values, nowhere
        Of one shape (z, y, x); ``nowhere`` is not True everywhere.
    """
    result = values.copy()
    some = [z for z, plane in enumerate(nowhere) if not plane.all()]
    for z in some:
        if nowhere[z].any():
            nearest = ndimage.distance_transform_edt(
                nowhere[z], return_distances=False, return_indices=True
            )
            result[z] = values[z][tuple(nearest)]
    for z in sorted(set(range(len(values))) - set(some)):
        result[z] = result[min(some, key=lambda other: abs(other - z))]
    return result


def _from_corners(same: np.ndarray) -> np.ndarray:
    """Return what of a boolean slice (y, x) is connected to one of its corners."""
    if not any(same[corner] for corner in CORNERS):
        return np.zeros_like(same)
    if same.all():
        return same
    labels, _ = ndimage.label(same)
    own = np.unique([labels[corner] for corner in CORNERS])
    return np.isin(labels, own[own > 0])


def _values_at_corners(voxels: np.ndarray) -> list[float]:
    """Return values that corners of slices share with their neighbours, the commonest first.

    Such a value is at corners and what is connected to them in `LEAST_VOXELS` voxels at least.
    """
    depth, height, width = voxels.shape
    if min(height, width) < 2:
        return []
    squares = []
    for y in (slice(0, 2), slice(height - 2, height)):
        for x in (slice(0, 2), slice(width - 2, width)):
            squares.append(np.asarray(voxels[:, y, x], np.float32))
    corners = np.stack([s[:, y, x] for s, (y, x) in zip(squares, CORNERS, strict=True)], axis=1)
    flat = np.stack([(s == s[:, :1, :1]).all(axis=(1, 2)) for s in squares], axis=1)
    if depth > 1:
        as_next = corners[1:] == corners[:-1]
        flat[1:] |= as_next
        flat[:-1] |= as_next
    values, times = np.unique(corners[flat], return_counts=True)
    commonest = values[np.argsort(-times, kind="stable")][:MOST_VALUES]
    return [float(value) for value in commonest if _is_large(voxels, corners, value)]


def _declared_at_corners(
    voxels: np.ndarray, declared: Sequence[Range]
) -> tuple[list[float], tuple[Range, ...]]:
    """Return the single values and the ranges of which a corner of a slice has some."""
    corners = np.stack([voxels[:, y, x] for y, x in CORNERS])
    there = [(low, high) for low, high in declared if ((corners >= low) & (corners <= high)).any()]
    single = [low for low, high in there if low == high]
    return single, tuple((low, high) for low, high in there if low < high)


def _is_large(voxels: np.ndarray, corners: np.ndarray, value: np.float32) -> bool:
    """Tell whether a value at corners of slices (z, 4) fills enough voxels from there."""
    total = 0
    for z in np.flatnonzero((corners == value).any(axis=1)).tolist():
        total += int(np.count_nonzero(_from_corners(voxels[z] == value)))
        if total >= LEAST_VOXELS:
            return True
    return False


def _ends(volume: Volume, but: list[float]) -> tuple[float, float]:
    """Return the lowest and the highest value but for some."""
    lowest, highest = np.inf, -np.inf
    for _, slab in volume.slabs():
        others = slab[~np.isin(slab, np.array(but, slab.dtype))] if but else slab
        if others.size:
            lowest, highest = min(lowest, others.min()), max(highest, others.max())
    return float(lowest), float(highest)


def _has_noise(volume: Volume, value: float, ends: tuple[float, float]) -> bool:
    """Tell whether neighbours along x differ, but for those of the value and clipped ones."""
    depth = len(volume.voxels)
    near = SAME_IN_RANGE * (ends[1] - ends[0])
    pairs = same = 0
    for z in range(0, depth, max(1, depth // SOME_SLICES)):
        plane = np.asarray(volume.voxels[z], np.float64)
        usual = ~np.isin(plane, [value, *ends])
        both = usual[:, 1:] & usual[:, :-1]
        pairs += int(np.count_nonzero(both))
        same += int(np.count_nonzero(both & (np.abs(np.diff(plane, axis=1)) <= near)))
    return pairs >= LEAST_PAIRS and same <= MOST_SAME * pairs


def _circle_or_planes(volume: Volume, value: float) -> list[np.ndarray]:
    """Return shapes as `Padding` has them, of whole planes and of what lies outside a circle.

    Nothing where the voxels of the value have another shape. Axes other than z are tried of what
    fits into memory alone.
    """
    large = volume.voxels.nbytes > LARGE_BYTES
    for axis in (0,) if large else (0, 1, 2):
        across = np.moveaxis(volume.voxels, axis, 0)
        spacing = [mm for a, mm in enumerate(volume.grid.spacing_zyx) if a != axis]
        found = _along(across, value, spacing)
        if found:
            return [np.moveaxis(shape, 0, axis) for shape in found]
    return []


def _along(planes: np.ndarray, value: float, spacing_mm: list[float]) -> list[np.ndarray]:
    """Return the same along the first axis."""
    whole = np.zeros(len(planes), bool)
    outside = np.ones(planes.shape[1:], bool)
    for k, same in _planes_of(planes, value):
        whole[k] = same.all()
        if not whole[k]:
            outside &= _from_corners(same)
    if not _is_circle(~outside, spacing_mm):
        return []
    inside, leak = ~outside, 0
    for k, same in _planes_of(planes, value):
        if not whole[k]:
            connected = _from_corners(outside | _in_squares(same & inside))
            leak += int(np.count_nonzero(connected & inside))
    if leak > LARGEST_LEAK * np.count_nonzero(~whole) * np.count_nonzero(inside):
        return []
    shapes = [outside[None]] if outside.any() else []
    return shapes + ([whole[:, None, None]] if whole.any() else [])


def _planes_of(planes: np.ndarray, value: float) -> Iterator[tuple[int, np.ndarray]]:
    """Go through the planes along the first axis: the number, and where it has the value."""
    for rows in slabs_of(planes.shape):
        for k in range(rows.start, rows.stop):
            yield k, planes[k] == value
        let_go(planes[rows])


def _in_squares(same: np.ndarray) -> np.ndarray:
    """Return what of a boolean slice lies in squares of 3 x 3: clipped noise hardly does."""
    opened: np.ndarray = ndimage.binary_opening(same, np.ones((3, 3)))
    return opened


def _is_circle(inside: np.ndarray, spacing_mm: list[float]) -> bool:
    """Tell whether an area (boolean; y, x) is what a box shows of a circle, to one voxel."""
    # Whole rows and columns outside make the box smaller.
    inside = inside[inside.any(axis=1)][:, inside.any(axis=0)]
    if inside.all():
        return inside.size > 0
    borders = []
    for axis in (0, 1):
        places = np.argwhere(np.diff(inside, axis=axis)).astype(float)
        places[:, axis] += 0.5
        borders.append(places * spacing_mm)
    points = np.concatenate(borders)
    # |p - c|^2 = r^2 is linear in c and r^2 - |c|^2.
    design = np.column_stack([2 * points, np.ones(len(points))])
    y, x, rest = np.linalg.lstsq(design, np.sum(points**2, axis=1), rcond=None)[0]
    radius_mm = np.sqrt(max(rest + y**2 + x**2, 0.0))
    away_mm = np.abs(np.hypot(points[:, 0] - y, points[:, 1] - x) - radius_mm)
    return bool(away_mm.max() <= max(spacing_mm))
