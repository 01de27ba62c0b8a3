"""A finished study as all parts of its report read it."""

from dataclasses import dataclass
from functools import cached_property

from otosynth.provenance.places import Places
from otosynth.provenance.tree import RecordTree, Root
from otosynth.reporting.traces import Traces
from otosynth.viewing.study import groups_by_ear, method_titles


@dataclass(frozen=True)
class ReportedStudy:
    """Where a study lies, its records and their root, and what follows from them.

    Attributes
    ----------
    traces
        The jobs, and those that the report links to.
    titles
        Methods' titles by their names.
    group_of
        The group that each ear is tested in.
    """

    places: Places
    tree: RecordTree
    root: Root

    @cached_property
    def traces(self) -> Traces:
        """Return the traces, which remember what the report has linked to."""
        return Traces(self.places, self.tree)

    @cached_property
    def titles(self) -> dict[str, str]:
        """Return the titles of all rows: yardsticks, atlases, methods and ceilings."""
        return method_titles(self.root)

    @cached_property
    def tested(self) -> set[str]:
        """Return the methods that have scores; others are trained for these."""
        return {name.split("/")[2] for name in self.tree.maker if name.startswith("scores/")}

    @cached_property
    def group_of(self) -> dict[str, str]:
        """Return the group of each tested ear."""
        return groups_by_ear(self.places)
