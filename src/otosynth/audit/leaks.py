"""Show from the records alone that no tested ear taught the networks that predict it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from otosynth.provenance.tree import Record, RecordTree

# Rules whose results a network's prediction was learned or chosen by.
LEARNED = (
    "train", "select_epoch", "fit_temperature", "compute_normalisation", "learn_thresholds",
)  # fmt: skip
PREDICTIONS = (
    "predict", "predict_classes", "predict_confidence", "segment_synthetic", "vote_atlases",
    "apply_yardsticks",
)  # fmt: skip
# What is made for a tested ear before it is predicted: a prior, and the registrations of atlases.
PREPARATIONS = ("make_prior", "register_atlas")
# Rules that make an ear's pair, with the outputs that show something of the ear. Masks do not: they
# say where both scans see it, and two ears may have the same.
PAIRS = ("register_pair", "make_class_map", "mark_cochlea", "downsample_pair")
VOLUMES = ("ct.nii", "microct.nii", "classmap.nii", "cochlea.nii")
# Where nothing tells the region at the cochlea it is empty, and shows nothing of its ear.
REGION = "cochlea.nii"
# What a prediction may know of the ear that it tests.
KNOWN = "ct.nii"


@dataclass(frozen=True)
class Leak:
    """A prediction that was learned with data of the ear that it tests."""

    prediction: str
    specimen: str
    through: str
    why: str


def find_leaks(tree: RecordTree) -> tuple[list[Leak], int]:
    """Look for data of tested ears in all that their predictions were made and learned from.

    An ear is recognised by its name and, so that a renamed copy is found, by the SHA-256 of its
    scans and of its pair. A prediction itself may read the ear's CT. The pair of a tested ear is
    on one grid because its CT was registered to its micro-CT; that pose is known to a prediction
    and no leak.

    Returns
    -------
    tuple
        The leaks, and the number of predictions that were looked at.
    """
    predictions = [job for job, record in tree.records.items() if record["rule"] in PREDICTIONS]
    leaks = []
    for job in predictions:
        ear = Ear.of(tree, tree.records[job]["wildcards"]["specimen"])
        leaks += [Leak(job, ear.name, job, why) for why in _read_directly(tree.records[job], ear)]
        ancestors = tree.with_ancestors([job])
        for name in sorted(ancestors):
            if _prepares(tree.records[name], ear):
                leaks += [
                    Leak(job, ear.name, name, w) for w in _read_directly(tree.records[name], ear)
                ]
        learned = [name for name in ancestors if tree.records[name]["rule"] in LEARNED]
        for name in sorted(tree.with_ancestors(learned)):
            whys = _read_in_learning(tree.records[name], ear)
            leaks += [Leak(job, ear.name, name, why) for why in whys]
    return leaks, len(predictions)


@dataclass(frozen=True)
class Ear:
    """An ear by the hashes of its data.

    Attributes
    ----------
    pair
        Hashes of its volumes on one grid, with their names.
    scans
        Hashes of the files of its CT, and of its micro-CT.
    """

    name: str
    pair: dict[str, str]
    scans: dict[str, set[str]]

    @classmethod
    def of(cls, tree: RecordTree, name: str) -> "Ear":
        """Find an ear's data in the records of the jobs that prepared it."""
        pair: dict[str, str] = {}
        scans: dict[str, set[str]] = {}
        for record in tree.records.values():
            if record["rule"] in PAIRS and record["wildcards"]["specimen"] == name:
                pair |= {facts["sha256"]: file for file, facts in record["outputs"].items()
                         if Path(file).name in VOLUMES}  # fmt: skip
            if record["rule"] == "register_pair" and record["wildcards"]["specimen"] == name:
                scans = {role: _hashes(record, record["roles"][role]) for role in ("ct", "microct")}
        shared = _regions_of_several(tree)
        return cls(name, {h: file for h, file in pair.items() if h not in shared}, scans)


def _regions_of_several(tree: RecordTree) -> set[str]:
    """Return the hashes of regions at the cochlea that several ears have: the empty ones."""
    ears: dict[str, set[str]] = {}
    for record in tree.records.values():
        for file, facts in record["outputs"].items():
            if record["rule"] in PAIRS and Path(file).name == REGION:
                ears.setdefault(facts["sha256"], set()).add(record["wildcards"]["specimen"])
    return {hashed for hashed, names in ears.items() if len(names) > 1}


def _prepares(record: Record, ear: Ear) -> bool:
    """Return whether a job prepares an ear's prediction, which may know as much of the ear."""
    return record["rule"] in PREPARATIONS and record["wildcards"]["specimen"] == ear.name


def _hashes(record: Record, names: Iterable[str]) -> set[str]:
    return {record["inputs"][name]["sha256"] for name in names}


def _read_directly(record: Record, ear: Ear) -> Iterator[str]:
    for name, facts in record["inputs"].items():
        known = ear.pair.get(facts["sha256"], KNOWN)
        if Path(known).name != KNOWN:
            yield f"read {name}, which is {known} of {ear.name}"


def _read_in_learning(record: Record, ear: Ear) -> Iterator[str]:
    if record["wildcards"].get("specimen") == ear.name:
        yield f"is a job on {ear.name} itself"
    for name, facts in record["inputs"].items():
        if facts["sha256"] in ear.pair:
            yield f"read {name}, which is {ear.pair[facts['sha256']]} of {ear.name}"
    # A whole scan: single slices may be the same in two ears.
    read = _hashes(record, record["inputs"])
    for role, files in ear.scans.items():
        if files and files <= read:
            yield f"read the {role} of {ear.name}"
