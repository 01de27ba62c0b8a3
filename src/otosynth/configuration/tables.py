"""The specimens and groups that a configuration names."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from otosynth.configuration.study import Study
from otosynth.errors import InputError
from otosynth.seeds import derive_seed
from otosynth.specimens import (
    Group,
    Specimen,
    check_groups,
    make_groups,
    read_groups,
    read_specimens,
)
from otosynth.volumes.stated import Stated

# The thesis's specimens are human ears; nothing made by the phantom may be taken for them.
THESIS_CODES = frozenset({"S3_1", "S3_2", "S3_7", "S3_8", "S3_11", "S3_12"})


def check_paths(study: Study, repository: Path) -> None:
    """Refuse paths and words of a study in which Snakemake would look for wildcards.

    Parameters
    ----------
    repository
        The folder of the Snakefile.

    Raises
    ------
    InputError
        Names the key, and what to do.
    """
    said = {
        "results": study.results,
        "label": study.label,
        "data.folder": study.data.folder,
        "data.specimens": study.data.specimen_table,
        "groups.table": study.groups.table,
    } | {f"methods.{name}.title": method.title for name, method in study.methods.items()}
    _refuse_braces("the repository's folder", repository)
    for key, value in said.items():
        _refuse_braces(f"the key {key}", value)


def _refuse_braces(what: str, value: object) -> None:
    if value is not None and set("{}") & set(str(value)):
        raise InputError(
            f"{what} is '{value}', and Snakemake takes what stands in braces for a wildcard: "
            "rename it without { and }, or make a link to it that has none."
        )


def study_specimens(study: Study) -> dict[str, Specimen]:
    """Read the specimen table of a study.

    Raises
    ------
    InputError
        For a table that is not valid, scans missing from the table of a study of files, or a
        phantom ear with a specimen code of the thesis.
    """
    data = study.data
    specimens = read_specimens(
        data.specimen_table,
        data.folder,
        data.default_side,
        Stated.parse(data.ct_stated),
        Stated.parse(data.microct_stated),
    )
    if data.source == "phantom":
        taken = sorted(THESIS_CODES & specimens.keys())
        if taken:
            raise InputError(
                f"{data.specimen_table}: {', '.join(taken)} names an ear of the thesis; "
                "call phantom ears otherwise."
            )
    elif any(specimen.ct is None for specimen in specimens.values()):
        raise InputError(f"{data.specimen_table}: the columns ct and microct are missing.")
    for specimen in specimens.values():
        for path in _raw_paths(specimen):
            _refuse_braces(f"{data.specimen_table}: a path of specimen {specimen.name}", path)
    return specimens


def study_groups(study: Study, specimens: Mapping[str, Specimen]) -> dict[str, Group]:
    """Read or generate the groups of a study, and check them.

    Raises
    ------
    InputError
        For groups that overlap, leave a specimen untested or name an unknown one.
    """
    if study.groups.table is not None:
        groups = read_groups(study.groups.table)
    else:
        groups = make_groups(
            list(specimens),
            study.groups.leave_out or 1,
            study.groups.validation,
            derive_seed(study.seed, "groups"),
        )
    check_groups(groups, specimens)
    return groups


def check_methods_fit_groups(study: Study, groups: Mapping[str, Group]) -> None:
    """Refuse methods that need a second training ear where a group has one.

    Raises
    ------
    InputError
        Names the method, the group and what needs the ear.
    """
    for name, method in study.methods.items():
        needs = [
            *(["trains without pairs"] if not method.paired else []),
            *(["has a prior of other training ears"] if method.prior_kind else []),
        ]
        for group in groups.values():
            if needs and len(group.training) < 2:
                raise InputError(
                    f"methods.{name} {' and '.join(needs)}, so every group needs two training "
                    f"ears; group {group.name} has {', '.join(group.training)} alone. Change the "
                    "groups, or leave the method out."
                )


def check_raw_files(specimens: Mapping[str, Specimen], folder: Path) -> None:
    """Refuse a study whose raw scans are not there, all missing ones in one message.

    Raises
    ------
    InputError
        Lists every missing file and where the folder of the scans is set.
    """
    missing = [
        (specimen.name, path) for specimen in specimens.values() for path in _raw_paths(specimen)
        if not path.exists()
    ]  # fmt: skip
    if missing:
        lines = "\n".join(f"  {name}: {path}" for name, path in missing)
        raise InputError(
            f"{len(missing)} raw files are missing; they belong here:\n{lines}\n"
            f"The folder of the scans is {folder}; the key data.folder sets another."
        )


def _raw_paths(specimen: Specimen) -> Iterable[Path]:
    yield from (path for path in (specimen.ct, specimen.microct) if path is not None)
    yield from specimen.initial_transform
    if specimen.electrodes is not None:
        yield specimen.electrodes
