"""Voxel grids: arrays on a grid, mirrored ears, and coarser grids with their true geometry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from otosynth.tissues import AIR, BONE, SOFT

# Two grids are one when their corners agree to this part of a voxel; NIfTI headers keep
# geometry in single precision, so exact equality would fail after one round trip.
GRID_TOLERANCE_VOXELS = 0.01


@dataclass(frozen=True)
class Grid:
    """Where the voxels of a volume lie; all as ITK has it.

    Attributes
    ----------
    size, spacing_mm
        Voxels, and distance of their centres, along x, y, z.
    origin_mm
        Centre of the first voxel (x, y, z; LPS).
    direction
        Directions of the three indices, the columns of a 3 x 3 matrix given row by row.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image | sitk.ImageFileReader) -> "Grid":
        """Return the grid of an image, or of a file whose header was read."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape z, y, x of an array on this grid."""
        x, y, z = self.size
        return z, y, x

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel size in mm in the order of the array's axes."""
        x, y, z = self.spacing_mm
        return z, y, x

    @property
    def voxel_mm(self) -> float:
        """Side of the cube with the volume of one voxel."""
        return float(np.prod(self.spacing_mm) ** (1 / 3))

    @property
    def centre_mm(self) -> np.ndarray:
        """Physical centre (x, y, z; LPS)."""
        return self.point_mm((np.array(self.size) - 1) / 2)

    def point_mm(self, index: npt.ArrayLike) -> np.ndarray:
        """Return where an index x, y, z (not only whole ones) lies (x, y, z; LPS)."""
        matrix = np.reshape(self.direction, (3, 3)) * self.spacing_mm
        return np.asarray(self.origin_mm) + matrix @ np.asarray(index)

    def index_of(self, points_mm: np.ndarray) -> np.ndarray:
        """Return the indices x, y, z (n, 3; not only whole ones) of points (n, 3; x, y, z, LPS)."""
        # The directions are at right angles and of length 1: their inverse is their transpose.
        directions = np.reshape(self.direction, (3, 3))
        return (points_mm - np.array(self.origin_mm)) @ directions / np.array(self.spacing_mm)

    def shrunk(self, factors: Sequence[int]) -> "Grid":
        """Return the grid of whole blocks of voxels, so many along x, y, z."""
        blocks = np.asarray(factors)
        return replace(
            self,
            size=tuple((np.array(self.size) // blocks).tolist()),
            spacing_mm=tuple((np.array(self.spacing_mm) * blocks).tolist()),
            origin_mm=tuple(self.point_mm((blocks - 1) / 2).tolist()),
        )

    def refined(self, factor: int) -> "Grid":
        """Return the grid of which this one is ``shrunk`` by a factor along every axis."""
        return replace(
            self,
            size=tuple((np.array(self.size) * factor).tolist()),
            spacing_mm=tuple((np.array(self.spacing_mm) / factor).tolist()),
            origin_mm=tuple(self.point_mm([(1 / factor - 1) / 2] * 3).tolist()),
        )

    def slab(self, rows: slice) -> "Grid":
        """Return the part with some rows along z."""
        x, y, _ = self.size
        origin = tuple(self.point_mm((0, 0, rows.start)).tolist())
        return replace(self, size=(x, y, rows.stop - rows.start), origin_mm=origin)

    def image(self, array: np.ndarray) -> sitk.Image:
        """Put an array (z, y, x) on this grid.

        Boolean arrays become 8-bit images, since ITK has no boolean voxels.

        Raises
        ------
        ValueError
            If the array does not have this grid's number of voxels along each axis.
        """
        if array.shape != self.shape:
            raise ValueError(
                f"array of shape {array.shape} on a grid of shape {self.shape} (z, y, x)"
            )
        voxels = array.astype(np.uint8) if array.dtype == bool else np.ascontiguousarray(array)
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction)
        return image


def image_like(array: np.ndarray, reference: sitk.Image) -> sitk.Image:
    """Put an array (z, y, x) on the grid of ``reference``, as `Grid.image` does."""
    return Grid.of(reference).image(array)


def _corners_mm(image: sitk.Image) -> np.ndarray:
    """Centres of the 8 corner voxels, shape (8, 3), x, y, z in mm."""
    last = [size - 1 for size in image.GetSize()]
    corners = product(*[(0, n) for n in last])
    return np.array([image.TransformIndexToPhysicalPoint(corner) for corner in corners])


def same_grid(a: sitk.Image, b: sitk.Image) -> bool:
    """Tell whether two images have the same size and the same voxel positions (0.01 voxel)."""
    if a.GetSize() != b.GetSize():
        return False
    tolerance_mm = GRID_TOLERANCE_VOXELS * min(a.GetSpacing())
    return bool(np.all(np.linalg.norm(_corners_mm(a) - _corners_mm(b), axis=1) <= tolerance_mm))


def onto_grid(image: sitk.Image, reference: sitk.Image, *, interpolate: bool) -> sitk.Image:
    """Bring an image to another grid in the same space; itself where the grids are one.

    Beyond the outermost voxel centres of a coarser grid the nearest voxel goes on.

    Parameters
    ----------
    image, reference
        Images whose points are in the same mm.
    interpolate
        Linear interpolation, for intensities; otherwise the nearest voxel, for classes.
    """
    if same_grid(image, reference):
        return image
    kind = sitk.sitkLinear if interpolate else sitk.sitkNearestNeighbor
    return sitk.Resample(
        image, reference, sitk.Transform(), kind, 0.0, image.GetPixelID(), True
    )  # fmt: skip


def mirror(image: sitk.Image) -> sitk.Image:
    """Flip the voxels along the x index (last array axis), keeping the grid.

    This turns a left ear into a right ear (method.md section 2) and is its own inverse.
    """
    return image_like(sitk.GetArrayViewFromImage(image)[:, :, ::-1], image)


def downsample(image: sitk.Image, factor: int) -> sitk.Image:
    """Average blocks of ``factor``^3 voxels (method.md section 5).

    The spacing grows by ``factor`` and the origin moves to the centre of the first block.
    Voxels at the far border that fill no whole block are left out. Float voxels stay float.
    """
    return sitk.BinShrink(image, [factor] * image.GetDimension())


def downsample_labels(image: sitk.Image, factor: int) -> sitk.Image:
    """Take each block's most frequent class; ties go to soft, then air, then bone.

    Grid as in :func:`downsample`; method.md section 5.
    """
    priority = (SOFT, AIR, BONE)
    parts = list(_block_parts(sitk.GetArrayViewFromImage(image), factor))
    counts = np.stack([np.sum([part == c for part in parts], axis=0) for c in priority])
    # argmax takes the first of equal counts, which is the priority order.
    labels = np.array(priority, dtype=np.uint8)[counts.argmax(axis=0)]
    return _on_block_grid(labels, image, factor)


def downsample_mask(image: sitk.Image, factor: int) -> sitk.Image:
    """Keep a block only where all its voxels are inside (non-zero). Grid as in `downsample`."""
    parts = _block_parts(sitk.GetArrayViewFromImage(image), factor)
    inside = np.logical_and.reduce([part != 0 for part in parts])
    return _on_block_grid(inside.astype(np.uint8), image, factor)


def _block_parts(array: np.ndarray, factor: int) -> Iterator[np.ndarray]:
    """Yield factor^3 strided views; view i holds voxel i of every whole block."""
    whole = array[tuple(slice(0, n - n % factor) for n in array.shape)]
    for z, y, x in product(range(factor), repeat=3):
        yield whole[z::factor, y::factor, x::factor]


def _on_block_grid(array: np.ndarray, image: sitk.Image, factor: int) -> sitk.Image:
    """Put an array of blocks on the coarser grid of ``image``."""
    blocks = sitk.GetImageFromArray(array)
    blocks.SetDirection(image.GetDirection())
    blocks.SetSpacing([spacing * factor for spacing in image.GetSpacing()])
    centre = [(factor - 1) / 2] * image.GetDimension()
    blocks.SetOrigin(image.TransformContinuousIndexToPhysicalPoint(centre))
    return blocks
