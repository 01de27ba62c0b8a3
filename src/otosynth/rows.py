"""What tables, figures and reports have a row for, and what kind of row it is.

Yardsticks and atlases are methods without training; ceilings know the truth and are no methods.
Their names are fixed, so a name alone tells the kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from otosynth.configuration import atlas
from otosynth.configuration.atlas import AtlasSettings


class Kind(StrEnum):
    """What a row of the tables is; figures have them in this order."""

    YARDSTICK = "yardstick"
    ATLAS = "atlas"
    TRAINED = "trained"
    CEILING = "ceiling"


# Names and titles of what needs no training (docs/method.md, section 8).
YARDSTICKS = {
    "ct_otsu": "Otsu on CT",
    "ct_thresholds": "Two thresholds on CT",
    "deconvolved_otsu": "Otsu on deconvolved CT",
    "deconvolved_thresholds": "Two thresholds on deconvolved CT",
}
EXACT_CLASSES, BLURRED_MICROCT = "exact_classes", "blurred_microct_otsu"
CEILINGS = {EXACT_CLASSES: "Exact classes", BLURRED_MICROCT: "Otsu on blurred micro-CT"}
# No block of the section `methods` may have one of these names.
RESERVED = (*YARDSTICKS, *atlas.METHODS.values(), *CEILINGS)
# What nothing trains has no training seed.
NO_SEED = 0


@dataclass(frozen=True)
class Row:
    """A row: its name and title, its kind, and where its results lie.

    ``seeds`` are those of its trainings; ``classmap`` and ``microct`` are paths within
    ``results/<study>`` with ``{specimen}`` and ``{seed}``. ``microct`` is empty for what gives
    classes only.
    """

    name: str
    title: str
    kind: Kind
    seeds: tuple[int, ...]
    classmap: str
    microct: str = ""

    def classmap_of(self, specimen: str, seed: int | str) -> str:
        """Return the path of an ear's class map within ``results/<study>``."""
        return self.classmap.format(specimen=specimen, seed=seed)

    def microct_of(self, specimen: str, seed: int | str) -> str:
        """Return the path of an ear's synthetic micro-CT within ``results/<study>``, or nothing."""
        return self.microct.format(specimen=specimen, seed=seed)


def kind_of(name: str) -> Kind:
    """Return the kind of a row by its name."""
    if name in YARDSTICKS:
        return Kind.YARDSTICK
    if name in CEILINGS:
        return Kind.CEILING
    return Kind.ATLAS if name in atlas.METHODS.values() else Kind.TRAINED


def without_ceilings(names: Iterable[str]) -> list[str]:
    """Return the names of methods alone: ceilings know the truth."""
    return [name for name in names if kind_of(name) is not Kind.CEILING]


def marked_title(name: str, title: str) -> str:
    """Return the title of a row as a table shows it: what is no method of its own is marked.

    Examples
    --------
    >>> marked_title("exact_classes", "Exact classes"), marked_title("multi_task", "Multi-task")
    ('Exact classes (ceiling)', 'Multi-task')
    """
    kind = kind_of(name)
    return f"{title} ({kind})" if kind in (Kind.YARDSTICK, Kind.CEILING) else title


def study_rows(
    atlases: AtlasSettings, trained: Mapping[str, str], seeds: Sequence[int], *, is_phantom: bool
) -> dict[str, Row]:
    """Return all rows of a study by their names: yardsticks, atlases, trained methods, ceilings.

    Parameters
    ----------
    atlases
        Which fused votes there are, and their titles.
    trained
        Titles of the trained methods that are tested, by their names.
    seeds
        Of the trainings.
    is_phantom
        Whether the ears' exact classes are known.
    """
    untrained = (NO_SEED,)
    prediction = "predictions/{specimen}/NAME/seed-{seed}/"
    rows = [
        *(
            Row(name, title, Kind.YARDSTICK, untrained, _yardstick_path(name))
            for name, title in YARDSTICKS.items()
        ),
        *(
            Row(
                name,
                atlases.title_of(fusion),
                Kind.ATLAS,
                untrained,
                f"atlas/{{specimen}}/{fusion}.nii.gz",
            )
            for name, fusion in atlases.methods().items()
        ),
        *(
            Row(
                name,
                title,
                Kind.TRAINED,
                tuple(seeds),
                prediction.replace("NAME", name) + "classmap.nii.gz",
                prediction.replace("NAME", name) + "microct.nii.gz",
            )
            for name, title in trained.items()
        ),
        *(
            Row(name, title, Kind.CEILING, untrained, _ceiling_path(name))
            for name, title in CEILINGS.items()
            if is_phantom or name != EXACT_CLASSES
        ),
    ]
    return {row.name: row for row in rows}


def _yardstick_path(name: str) -> str:
    return f"yardsticks/{{specimen}}/{name}.nii.gz"


def _ceiling_path(name: str) -> str:
    return "phantom/{specimen}/labels.nii.gz" if name == EXACT_CLASSES else _yardstick_path(name)
