"""What every format offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import SimpleITK as sitk

from otosynth.volumes.grids import Grid
from otosynth.volumes.stated import Range, Stated
from otosynth.volumes.volume import Volume

# A grid, and float32 arrays (rows, y, x) that follow one another along z.
Slabs = tuple[Grid, Iterator[np.ndarray]]


@dataclass(frozen=True)
class Header:
    """What a scan's header says.

    Attributes
    ----------
    grid
        In mm, LPS, with the axes as they are in the file.
    units
        The unit of lengths, in words.
    remarks
        What was assumed, or decided by what the lab states; one sentence each.
    """

    grid: Grid
    units: str = "mm"
    remarks: tuple[str, ...] = ()


class Format(ABC):
    """One format of scans. A new one is one module with a subclass.

    Attributes
    ----------
    name
        What records and command lines call it.
    description
        What messages call it, with its endings.
    last_resort
        Whether it is asked after all others, since it matches what it cannot be told from.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    last_resort: ClassVar[bool] = False

    @abstractmethod
    def matches(self, path: Path) -> bool:
        """Tell whether a file or folder that exists is of this format, by its name or signature."""

    @abstractmethod
    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan as float32, with axes and geometry (mm, LPS) as the file states them.

        Raises
        ------
        InputError
            If it cannot be read, is damaged, or is no 3D volume with one value per voxel.
        """

    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Do as ``read``, slab by slab; the whole is held unless a format does better.

        Raises
        ------
        InputError
            As ``read``; of a slab that cannot be read, when it is its turn.
        """
        image = self.read(path, stated)
        return Grid.of(image), (slab.copy() for _, slab in Volume.of(image).slabs())

    def header(self, path: Path, stated: Stated) -> Header:
        """Return what the header says, its grid at least.

        Raises
        ------
        InputError
            As ``read``, as far as the header tells.
        """
        return Header(self.read_slabs(path, stated)[0])

    def files(self, path: Path) -> list[Path]:
        """List the files that make up a scan, sorted."""
        return [path]

    def padding(self, path: Path) -> tuple[Range, ...]:
        """Return the values that the header declares as not measured, rescaled as ``read`` does.

        Of each range the lowest and the highest, which are one where it is a single value.
        """
        return ()

    def tags(self, path: Path) -> Mapping[str, str]:
        """Return what a volume derived from the scan takes over from it, such as whose it is."""
        return {}

    @abstractmethod
    def write(
        self, image: sitk.Image, stem: Path, tags: Mapping[str, str], description: str
    ) -> Path:
        """Write a volume derived from a scan, and return its file or folder.

        Parameters
        ----------
        image
            A 3D image of intensities or classes.
        stem
            The path without its ending.
        tags
            What ``tags`` gave for the scan.
        description
            What the volume is (at most 64 characters); only some formats keep it.

        Raises
        ------
        RuntimeError, InputError
            If it cannot be written.
        """


class FormatBySlabs(Format):
    """A format that is read slab by slab; a whole scan is all slabs one after another."""

    @abstractmethod
    def read_slabs(self, path: Path, stated: Stated) -> Slabs:
        """Do as `Format.read_slabs`."""

    def read(self, path: Path, stated: Stated) -> sitk.Image:
        """Read a scan; see `Format.read`."""
        grid, slabs = self.read_slabs(path, stated)
        return grid.image(np.concatenate(list(slabs)))
